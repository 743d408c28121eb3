# --settle waits for devices that come: what else the kernel tells meanwhile, be it without
# end, does not make it wait longer.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: minix mac-roman
# loader: nanomod

: >stream
stream() {
    while [ -e stream ]; do
        echo change >/sys/devices/virtual/mem/null/uevent
        sleep 0.02
    done
}
stream &
start
expect 0 "--settle among changes" coldplug --settle=500 --timeout 30 mac-roman
check "it ends soon" within 15
check "silently" silent
check "all is there" loaded mac_roman
start
expect 0 "and without a time of its own" coldplug --settle --timeout 30 minix
check "it ends soon" within 15
check "all is there" loaded minix
start
expect 2 "--wait-for among changes" coldplug --timeout 2 --wait-for /dev/nothing
check "it ends with its timeout" within 15
rm stream
wait
unload minix mac_roman
