# Thirty at once, of overlapping sets: whoever comes second waits or finds it done,
# and none fails.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: 8021q vfat xt_LOG minix mac-roman overlay isofs

round() {
    set -- 8021q xt_LOG vfat "-a xt_LOG 8021q" "-a minix vfat mac-roman" isofs overlay "-a isofs 8021q" llc stp
    rm -f failed
    for _ in 1 2 3; do
        for sets in "$@"; do
            # shellcheck disable=SC2086 # several names
            (modprobe $sets 2>>err || echo "$sets" >>failed) &
        done
    done
    wait
}

for i in 1 2; do
    : >err
    round
    check "round $i: all thirty succeed" test ! -e failed
    check "round $i: without a message" not test -s err
    check "round $i: all is there" loaded 8021q xt_LOG vfat minix mac_roman overlay isofs llc stp garp mrp fat nf_log_syslog
    unload 8021q xt_LOG vfat minix mac_roman overlay isofs garp mrp stp llc fat cdrom x_tables nf_log_syslog
done
