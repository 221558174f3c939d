#!/usr/bin/env bash
# The page without a browser: `types` (TypeScript, licences of what is in it) or `tests` (by Node's own runner).
set -euo pipefail
cd "$(dirname "$0")/../web"
if [ ! -d node_modules/typescript ]; then npm ci --no-progress; fi
case ${1:-} in
types) npm run --silent check ;;
tests) npm run --silent test ;;
*)
  echo "usage: $0 types|tests" >&2
  exit 2
  ;;
esac
