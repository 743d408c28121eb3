# While coldplug runs: devices that come are taken care of, also where there are more than
# its socket holds; what somebody else than the kernel says is not believed.
# kernels: uml 6.1 6.12
# modules: scsi_debug sd_mod minix mac-roman
# tools: fake-uevent unload-all
# loader: nanomod

config "alias platform:fake minix"
coldplug --settle=700 mac-roman >out 2>err &
until loaded mac_roman; do sleep 0.1; done
check "somebody else says that there is a device" fake-uevent /devices/platform/fake platform:fake
modprobe scsi_debug
wait $!
check "it ends well" test $? = 0
check "and is silent" silent
check "a device that comes meanwhile has its driver" loaded sd_mod
check "the one that does not has none" absent minix
expect 0 "its driver is known" coldplug platform:fake
check "and can be loaded" loaded minix
unload-all >still

# Every device of this machine is announced again and again, until this file is gone.
: >storm
find /sys/devices -name uevent >all
storm() {
    while [ -e storm ]; do
        while read -r file; do
            echo add >"$file"
        done <all
    done
}
storm 2>/dev/null &
NANOMOD_UEVENT_BUFFER=1 expect 0 "more than the socket holds" coldplug -v --wait-for /dev/sda scsi_debug
rm storm
wait
check "is noticed" says "more than could be read"
check "and all is there" loaded scsi_debug sd_mod
