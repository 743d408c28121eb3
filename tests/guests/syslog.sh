# With stderr closed, or -s, a message still reaches someone: without a syslog
# that is the kernel's log. With -q, as the kernel calls, there is no message.
# kernels: uml 6.12 6.1-armmp
# modules: minix
# loader: nanomod

told() {
    dmesg | grep -q "$1"
}

modprobe nosuch1 <&- >&- 2>&-
check "stderr closed, the kernel's log has it" told 'modprobe.*nosuch1 not found'
expect 1 "-s" modprobe -s nosuch2
check "is silent on stderr" silent
check "and the kernel's log has it" told 'modprobe.*nosuch2 not found'
expect 1 "rmmod -s" rmmod -s nosuch3
check "the kernel's log has it" told 'rmmod.*nosuch3'
modprobe -q nosuch4 <&- >&- 2>&-
check "-q stays out of the log" not told nosuch4
