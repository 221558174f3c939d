#!/usr/bin/env bash
# `make run`: the daemon with a simulated box, and its live state in this terminal. Ctrl-C stops both.
set -euo pipefail
binary=$1
data=$2
mkdir -p "$data"

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
"$binary" --data-dir "$data" status --watch
