# Soft dependencies: what modules bring themselves and what modprobe.d adds, in
# their order; one that is missing or fails stops nothing.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: minix mac-roman nls_cp737 xt_LOG overlay

# Newest first, as the kernel lists them.
order() {
    [ "$(cut -d ' ' -f 1 /proc/modules | tr '\n' ' ')" = "$1 " ]
}

expect 0 "a module's own softdep" modprobe xt_LOG
check "it was inserted, and first" loaded nf_log_syslog xt_LOG
unload xt_LOG nf_log_syslog x_tables

config "softdep minix pre: mac-roman post: nls_cp737"
expect 0 "pre and post" modprobe minix
check "in order" order "nls_cp737 minix mac_roman"
expect 0 "remove" modprobe -r minix
check "removes them too" absent minix mac_roman nls_cp737

config "softdep minix pre: nosuch mac-roman"
expect 0 "a missing softdep" modprobe minix
check "is silent" silent
check "the rest is there" order "minix mac_roman"
unload minix mac_roman

config "softdep minix pre: overlay" "options overlay index=bad"
expect 0 "a softdep that fails" modprobe minix
check "the module is there" loaded minix
check "the softdep is not" absent overlay
