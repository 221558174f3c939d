#!/usr/bin/env bash
# The page: `types` (TypeScript, licences of what is in it), `tests` (by Node's own runner, without a browser), `browser` (the built program's page
# in Chromium; pictures in target/screenshots) or `bench` (how soon it can be used).
set -euo pipefail
cd "$(dirname "$0")/../web"
if [ ! -d node_modules/typescript ]; then npm ci --no-progress; fi
case ${1:-} in
types) npm run --silent check ;;
tests) npm run --silent test ;;
browser | bench)
  CHROMIUM=$(command -v chromium || command -v google-chrome || true)
  if [ -z "$CHROMIUM" ]; then
    echo "SKIPPED: the page in a browser: there is neither chromium nor google-chrome (Debian: apt install chromium)"
    exit "${FILAMENTBOX_REQUIRE_SERVERS:-0}"
  fi
  export CHROMIUM
  cd tests
  if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then npm ci --ignore-scripts --legacy-peer-deps --no-progress --no-audit --no-fund; fi
  if [ "$1" = bench ]; then node bench.mjs; else npm run --silent test; fi
  ;;
*)
  echo "usage: $0 types|tests|browser|bench" >&2
  exit 2
  ;;
esac
