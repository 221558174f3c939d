#!/usr/bin/env bash
# The generated page is up to date, every relative link in the documentation leads somewhere, and every test that
# docs/SAFETY.md names exists.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0

if ! diff -u docs/CONFIGURATION.md <(cargo run --locked --quiet --bin filamentbox -- config describe --markdown); then
  echo "docs/CONFIGURATION.md is out of date: run 'make docs'" >&2
  status=1
fi

while IFS=: read -r file link; do
  target=${link%%#*}
  if [ -n "$target" ] && [ ! -e "$(dirname "$file")/$target" ]; then
    echo "$file links to $target, which does not exist" >&2
    status=1
  fi
done < <(grep -oHE '\]\([^)]+\)' README.md CHANGELOG.md docs/*.md docs/adr/*.md docs/backends/*.md | sed -E 's/\]\(([^)]+)\)/\1/' | grep -vE ':(https?|mailto):')

while read -r name; do
  if ! grep -rqE "fn ${name}\b" crates/*/src crates/*/tests; then
    echo "docs/SAFETY.md names the test $name, which does not exist" >&2
    status=1
  fi
done < <(grep -oE 'test `[a-z0-9_]+`' docs/SAFETY.md | sed -E 's/test `(.*)`/\1/' | sort -u)

if [ "$(wc -l <docs/ARCHITECTURE.md)" -gt 200 ]; then
  echo "docs/ARCHITECTURE.md is longer than 200 lines" >&2
  status=1
fi
exit $status
