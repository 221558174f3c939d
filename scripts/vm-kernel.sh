#!/usr/bin/env bash
# What the virtual-machine tests boot: a distribution's own kernel, with the simulators of GPIO lines and I2C chips as modules.
# Writes FOLDER/vmlinuz, FOLDER/modules/*.ko and FOLDER/modules/order (one name a line, dependencies first); does nothing when
# they are there. Packages are fetched by apt-get into FOLDER/packages. Exit status 3, with the reason in the last line of
# stderr: not possible on this machine.
#
# Debian's kernel is built without gpio-sim, so the kernel's own source of it is compiled here, out of tree, from Debian's
# linux-source package. Ubuntu has it as a module of linux-modules-extra.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${1:-target/vm}"
folder=$(cd "${1:-target/vm}" && pwd)
packages=$folder/packages
unpacked=$folder/unpacked
wanted=(gpio-sim i2c-stub i2c-dev bmp280-i2c)

impossible() { echo "$*" >&2; exit 3; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# The newest real package behind a name such as linux-image-amd64.
real_package() { apt-cache depends --no-suggests --no-recommends "$1" 2>/dev/null | sed -n "s/^ *Depends: \($2\)$/\1/p" | head -1; }

# Fetches a package into the cache and prints its file.
fetch() {
  local found
  found=$(find "$packages" -name "$1_*.deb" -print -quit)
  if [ -z "$found" ]; then
    (cd "$packages" && apt-get download -q "$1" >&2)
    found=$(find "$packages" -name "$1_*.deb" -print -quit)
  fi
  echo "$found"
}

unpack() {
  dpkg-deb -x "$(fetch "$1")" "$unpacked"
  # Newer releases have their modules under /usr.
  if [ -d "$unpacked/usr/lib/modules" ] && [ ! -e "$unpacked/lib" ]; then ln -s usr/lib "$unpacked/lib"; fi
}

# gpio-sim and its irq_sim in one module, from the source of the very kernel it is for.
build_gpio_sim() {
  local release=$1 series tree=$folder/gpio-sim source
  series=$(echo "$release" | cut -d. -f1,2)
  source=linux-source-$series
  [ -d "/usr/src/linux-headers-$release" ] ||
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "linux-headers-$release" >&2
  rm -rf "$tree"
  mkdir -p "$tree"
  dpkg-deb --fsys-tarfile "$(fetch "$source")" | tar -xO "./usr/src/$source.tar.xz" |
    tar -xJ -C "$tree" --strip-components=3 "$source/drivers/gpio/gpio-sim.c" "$source/drivers/gpio/gpiolib.h" "$source/kernel/irq/irq_sim.c"
  # irq_to_desc() is not exported to modules; generic_handle_irq() is, and does the same here.
  sed -i 's/handle_simple_irq(irq_to_desc(irqnum));/generic_handle_irq(irqnum);/' "$tree/irq_sim.c"
  printf 'obj-m := gpio-sim-built.o\ngpio-sim-built-y := gpio-sim.o irq_sim.o\nccflags-y := -I$(src)\n' >"$tree/Makefile"
  make -s -C "/usr/src/linux-headers-$release" M="$tree" modules >&2
  install -D -m 644 "$tree/gpio-sim-built.ko" "$unpacked/lib/modules/$release/extra/gpio-sim.ko"
}

# Copies the wanted modules and what they depend on, uncompressed, and writes their order.
collect_modules() {
  local release=$1 path name
  depmod -b "$unpacked" "$release"
  rm -rf "$folder/modules"
  mkdir -p "$folder/modules"
  for module in "${wanted[@]}"; do
    modprobe -d "$unpacked" -S "$release" --show-depends "$module" >"$folder/depends" ||
      impossible "the kernel package of this distribution ($release) has no module $module"
    while read -r path; do
      name=$(basename "$path" | sed -E 's/\.ko(\.(xz|zst|gz))?$//')
      [ -e "$folder/modules/$name.ko" ] && continue
      case $path in
        *.zst) command -v zstd >/dev/null || impossible "zstd is not installed"; zstd -q -d "$path" -o "$folder/modules/$name.ko" ;;
        *.xz) xz -d -c "$path" >"$folder/modules/$name.ko" ;;
        *.gz) gzip -d -c "$path" >"$folder/modules/$name.ko" ;;
        *) cp "$path" "$folder/modules/$name.ko" ;;
      esac
      echo "$name" >>"$folder/modules/order.new"
    done < <(sed -n 's/^insmod \([^ ]*\).*/\1/p' "$folder/depends")
  done
  mv "$folder/modules/order.new" "$folder/modules/order"
}

if [ -e "$folder/modules/order" ] && [ -e "$folder/vmlinuz" ]; then exit 0; fi
[ "$(uname -m)" = x86_64 ] || impossible "the virtual machine is an x86-64 one, this is $(uname -m)"
command -v apt-get >/dev/null || impossible "its kernel comes from Debian's or Ubuntu's packages, and this is neither"
for tool in dpkg-deb depmod modprobe cc make; do
  PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null || impossible "$tool is not installed"
done
export PATH=$PATH:/usr/sbin:/sbin
mkdir -p "$packages"
rm -rf "$unpacked"

# Old or empty package lists name packages that cannot be fetched any more.
as_root apt-get -o DPkg::Lock::Timeout=300 update -q >&2 || echo "apt-get update has failed; going on with the lists there are" >&2

if image=$(real_package linux-image-amd64 'linux-image-[0-9].*') && [ -n "$image" ]; then
  release=${image#linux-image-}
  unpack "$image"
  build_gpio_sim "$release"
elif image=$(real_package linux-image-generic 'linux-image-[0-9].*') && [ -n "$image" ]; then
  release=${image#linux-image-}
  for package in "$image" "linux-modules-$release" "linux-modules-extra-$release"; do
    unpack "$package" || impossible "Ubuntu's package $package cannot be fetched"
  done
else
  impossible "apt-get knows no kernel package linux-image-amd64 or linux-image-generic"
fi
collect_modules "$release"
cp "$unpacked/boot/vmlinuz-$release" "$folder/vmlinuz"
rm -rf "$unpacked" "$folder/gpio-sim" "$folder/depends"
echo "the virtual machine's kernel: $release, $(wc -l <"$folder/modules/order") modules in $folder" >&2
