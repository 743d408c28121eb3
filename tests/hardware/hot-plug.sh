# shellcheck shell=dash
# Devices that are plugged in while the machine runs. The host gives to QEMU's monitor
# what is said to it here.

monitor() {
    echo "monitor: $*"
}

stick() {
    sleep "$1"
    monitor "device_add usb-storage,id=stick,bus=x.0,drive=stick"
}

# until_there PATH
until_there() {
    for _ in $(seq 100); do
        [ ! -e "$1" ] || return 0
        sleep 0.1
    done
    return 1
}

# seconds COMMAND...: the time that it takes, at least
seconds() {
    read -r began _ </proc/uptime
    "$@"
    status=$?
    read -r ended _ </proc/uptime
    seconds=$((${ended%.*} - ${began%.*}))
    return $status
}

# Behind what the BIOS said last, which now and then has no end of line.
echo
expect 0 "coldplug loads the driver of what is there" nanomod coldplug --settle
check "the controller's" loaded xhci_pci
check "and no other" absent usb_storage sd_mod usbhid nvme

expect 2 "a device that never comes" seconds nanomod coldplug --wait-for /dev/nosuch --timeout 2
check "is waited for as long as was said" [ "$seconds" -ge 1 ]
check "and no longer" [ "$seconds" -le 8 ]
check "is named in one line" [ "$(wc -l <err)" = 1 ]
check "as it was called" says "/dev/nosuch"

stick 2 &
expect 0 "a disk that comes meanwhile" nanomod coldplug --wait-for /dev/sda --timeout 60
check "has its drivers" loaded usb_storage sd_mod
check "and its node" [ -b /dev/sda ]
check "without a word" silent
expect 0 "a disk that is there already" nanomod coldplug --wait-for /dev/sda --timeout 60
check "needs nothing said" silent

monitor "device_add nvme,bus=behind,serial=1,drive=nvme"
check "a device that comes later" until_there /sys/bus/pci/devices/0000:01:00.0
check "has no driver until coldplug is called" absent nvme
expect 0 "coldplug loads its driver" nanomod coldplug --wait-for /dev/nvme0n1 --timeout 60
check "and its node is there" [ -b /dev/nvme0n1 ]

monitor "device_add usb-kbd,bus=x.0,port=2"
check "one more comes" until_there "/sys/bus/usb/devices/1-2"
expect 0 "coldplug without anything to wait for" nanomod coldplug --settle=1000
check "loads the drivers of one more" loaded usbhid hid_generic
