#!/usr/bin/env bash
# `make run`: the daemon with a simulated box, its page's address, and its live state in this terminal. Ctrl-C stops both.
# The page is at port 5000, or where FILAMENTBOX_WEBUI__PORT says (0 for one that is free).
set -euo pipefail
binary=$1
data=$2
mkdir -p "$data"
# Only this run's lines are of interest below.
: >"$data/daemon.log"

# A session of its own: Ctrl-C reaches this script, which then stops the daemon in good order.
setsid "$binary" --data-dir "$data" run --simulate >"$data/daemon.log" 2>&1 &
daemon=$!
trap 'kill -TERM $daemon 2>/dev/null || true; wait $daemon 2>/dev/null || true; echo; echo "Stopped. The log is in $data/daemon.log, the history: $binary --data-dir $data history export"' EXIT
trap 'exit 0' INT TERM

for _ in $(seq 50); do
  if ! kill -0 $daemon 2>/dev/null; then
    echo "The daemon has ended; it says:"
    cat "$data/daemon.log"
    exit 1
  fi
  if "$binary" --data-dir "$data" status --json 2>/dev/null | grep -q '"temperature_c": [0-9-]'; then break; fi
  sleep 0.2
done

# What the daemon says about its page: `"web": {"error": .., "url": ..}`.
page=$("$binary" --data-dir "$data" status --json | sed -n '/"web": {/,/}/p')
url=$(sed -n 's/.*"url": "\(.*\)".*/\1/p' <<<"$page")
error=$(sed -n 's/.*"error": "\(.*\)",\{0,1\}$/\1/p' <<<"$page")
echo
if [ -n "$url" ]; then echo "  The page: $url"; fi
if [ -n "$error" ]; then
  echo "  $error"
  echo "  Another port: FILAMENTBOX_WEBUI__PORT=5001 make run"
fi
echo
"$binary" --data-dir "$data" status --watch
