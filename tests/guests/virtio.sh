# coldplug: an emulated machine's own hardware, step by step: first what connects it, which
# shows more, then disk, network and random numbers. A PCI bus, or none.
# kernels: 6.1 6.12 6.1-arm64 6.1-armmp
# device 6.1: virtio-blk-pci,drive=disk virtio-net-pci,romfile= virtio-rng-pci
# device 6.12: virtio-blk-pci,drive=disk virtio-net-pci,romfile= virtio-rng-pci
# device 6.1-arm64: virtio-blk-pci,drive=disk virtio-net-pci,romfile= virtio-rng-pci
# device 6.1-armmp: virtio-blk-device,drive=disk virtio-net-device virtio-rng-device
# tree hardware: virtio_blk virtio_net virtio-rng virtio_pci virtio_mmio
# loader: nanomod

all_bound() {
    for device in /sys/bus/virtio/devices/*; do
        [ -e "$device/driver" ] || return 1
    done
}

expect 0 "a dry run" coldplug -n -d /trees/hardware
check "loads nothing" absent virtio_blk virtio_net virtio_rng
expect 0 "until the disk is there" coldplug -d /trees/hardware --wait-for /dev/vda
check "is silent" silent_or_left
check "it is" test -b /dev/vda
expect 0 "all of it" coldplug -v -d /trees/hardware --settle
check "drivers are loaded" loaded virtio_blk virtio_net virtio_rng
check "and what they need" loaded net_failover failover
check "three devices" test "$(find /sys/bus/virtio/devices -mindepth 1 | wc -l)" = 3
check "have their drivers" all_bound
check "a network interface" test -e /sys/class/net/eth0
expect 0 "again" coldplug -v -d /trees/hardware
check "nothing is left to do" says "0 modules inserted"
expect 0 "modprobe -r" modprobe -r -d /trees/hardware virtio_blk virtio_net virtio-rng
check "they are gone, and what only they needed" absent virtio_blk virtio_net virtio_rng net_failover failover
check "and so is the disk" not test -e /dev/vda
