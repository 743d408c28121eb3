# - and _ are one letter in a module's name, whatever the file is called.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: mac-roman nf_log_syslog mtdoops

for name in mac-roman mac_roman; do
    expect 0 "modprobe $name" modprobe $name
    check "the kernel's name is live" loaded mac_roman
    expect 0 "rmmod $name" rmmod $name
    check "it is gone" absent mac_roman
done
expect 0 "a file named with _, asked for with -" modprobe nf-log-syslog
check "it is live" loaded nf_log_syslog
expect 0 "removed with -" modprobe -r nf-log_syslog
check "it is gone" absent nf_log_syslog

config "alias my-name mac-roman" "softdep mac_roman pre: nf-log-syslog"
expect 0 "names in modprobe.d" modprobe my_name
check "both are live" loaded mac_roman nf_log_syslog
