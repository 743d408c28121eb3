# Little memory: 32 MiB, of which User-mode Linux leaves 21 to use, and 64 for kernels of
# distributions. Drivers of a disk and a network with what they need, and the hardware.
# kernels: uml 6.1-arm64 6.1-armmp
# memory: 32 64
# device 6.1-arm64: virtio-blk-pci,drive=disk virtio-net-pci,romfile= virtio-rng-pci
# device 6.1-armmp: virtio-blk-device,drive=disk virtio-net-device virtio-rng-device
# modules: minix vfat 8021q virtio_net virtio_blk
# modules uml: scsi_debug sd_mod
# modules 6.1-arm64: virtio_pci
# modules 6.1-armmp: virtio_mmio
# loader: nanomod

check "there is little" test "$(sed -n 's/^MemTotal: *\([0-9]*\) .*/\1/p' /proc/meminfo)" -lt 65536
expect 0 "a network's driver" modprobe virtio_net
check "with what it needs" loaded virtio_net net_failover failover
expect 0 "a file system" modprobe -v vfat
check "with what it needs" loaded vfat fat
expect 0 "insmod" insmod "$(file / minix)"
check "it is there" loaded minix
expect 0 "lsmod" lsmod
expect 0 "modprobe -r" modprobe -r vfat virtio_net
check "they are gone" absent vfat fat virtio_net net_failover failover

# A quarter of the memory, or half of what is left, is for what a file decompresses to.
if has gzip; then
    dd if=/dev/zero bs=1M count=24 2>/dev/null | gzip >zeros.ko.gz
    expect 1 "what decompresses to more than there is room for" insmod zeros.ko.gz
    check "says so" says "zeros.ko.gz: .*more than the limit of (1[0-6]|[2-9]) MiB"
    rm zeros.ko.gz
fi

if [ -e /sys/bus/pci ] || [ -e /sys/bus/amba ]; then
    disk=/dev/vda driver=virtio_blk
else
    disk=/dev/sda driver=sd_mod
    modprobe scsi_debug dev_size_mb=1
fi
expect 0 "the hardware, and a name" coldplug --wait-for $disk 8021q
check "is silent" silent_or_left
check "the disk has its driver" loaded $driver
check "and is there" test -b $disk
check "so is what was named" loaded 8021q garp mrp stp llc
check "nothing was short of memory" not sh -c 'dmesg | grep -iE "out of memory|allocation failure"'
