# --lists-first: what is named or listed, with all that it needs, is in before any hardware
# is looked at.
# kernels: 6.1 6.1-arm64 6.1-armmp
# built: slow_1 slow_2 slow_3 slow_4 fails hangs shows late
# tools: unload-all
# loader: nanomod

clean() {
    rm -f /etc/modules-load.d/*
    unload-all >still
    # A device that is there from the start.
    modprobe shows
    comes 20 test -e /sys/devices/platform/nanomod-late.0
}

clean
expect 0 "without it" coldplug slow_3 slow_4
check "the hardware has its driver" loaded late slow_3 slow_4
clean
expect 0 "--lists-first, named" coldplug --lists-first slow_3 slow_4
check "the hardware has its driver" loaded late slow_3 slow_4
check "but later" newer late slow_1 slow_2 slow_3 slow_4
clean
printf '%s\n' slow_3 slow_4 >/etc/modules-load.d/test.conf
expect 0 "--lists-first, listed" coldplug --lists-first
check "the hardware has its driver" loaded late slow_3 slow_4
check "but later" newer late slow_1 slow_2 slow_3 slow_4
clean
echo fails >/etc/modules-load.d/test.conf
expect 0 "one of them fails" coldplug --lists-first slow_4
check "says so" says "could not insert 'fails': Input/output error"
check "the hardware has its driver all the same" loaded late slow_4
check "but later" newer late slow_4
clean
expect 1 "one that is named fails" coldplug --lists-first fails
check "the hardware has its driver all the same" loaded late
