#!/bin/sh
# The guest's first process: busybox, file systems, modules, then the scenarios.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm
for folder in /tmp /run /dev/shm; do mount -t tmpfs tmpfs $folder; done
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debug /sys/kernel/debug
ip link set lo up
while read -r module; do
  # The I2C chip comes and goes with its module: the scenarios load it.
  [ "$module" = i2c-stub ] || insmod "/modules/$module.ko" || echo "no module $module"
done </modules/order
[ -d /sys/kernel/config/gpio-sim ] || mount -t configfs config /sys/kernel/config
/bin/vm --guest
reboot -f
