# Many at once, for long: 64 loaders of overlapping sets, insertion against removal, indexes
# that are written while hardware and names are looked up. Nothing hangs, nothing ends by a
# signal, each failure is told, and at the end all goes in and out as ever. `scripts/guest
# --long` makes it ten minutes of each.
# kernels: uml 6.1-arm64
# tiers: full
# modules: 8021q vfat xt_LOG minix mac-roman overlay isofs
# tools: unload-all
# loader: nanomod

seconds=6 rounds=1
if grep -qw nanomod.long /proc/cmdline; then
    seconds=600 rounds=20
fi
sets="8021q|xt_LOG|vfat|-a xt_LOG 8021q|-a minix vfat mac-roman|isofs|overlay|-a isofs 8021q"
! has jobs || sets="$sets|-a -j 4 vfat isofs xt_LOG|-a -j 16 8021q minix overlay vfat"
all="8021q xt_LOG vfat minix mac_roman overlay isofs llc stp garp mrp fat nf_log_syslog"

# each COMMAND: with each of the sets, in words, as $1 and on
each() {
    echo "$sets" | tr '|' '\n' >each
    while read -r words; do
        # shellcheck disable=SC2086 # words
        "$1" $words
    done <each
}

# Its status, where that is of interest.
loads() { { modprobe "$@" 2>>err || echo "$*" >>failed; } & }

storm() {
    started=0
    while [ $started -lt 64 ]; do
        each loads
        started=$((started + $(wc -l <each)))
    done
    wait
}

round=1
while [ $round -le $rounds ]; do
    : >err
    rm -f failed
    storm
    check "round $round: 64 loaders succeed" test ! -e failed
    check "round $round: without a message" not test -s err
    # shellcheck disable=SC2086 # names
    check "round $round: all is there" loaded $all
    unload-all >still
    round=$((round + 1))
done

# until_then COMMAND...: again and again until the time is over. A status beyond 1, or a
# failure that nothing tells of, is kept.
until_then() {
    while [ "$(cut -d . -f 1 /proc/uptime)" -lt "$end" ]; do
        : >"err.$worker"
        timeout 60 "$@" >"out.$worker" 2>"err.$worker"
        status=$?
        runs=$((runs + 1))
        [ $status = 0 ] || { [ $status = 1 ] && [ -s "err.$worker" ]; } ||
            echo "$*: $status, $(head -n 1 "err.$worker")" >>wrong
        ! grep -qE 'panicked|out of memory' "err.$worker" || cat "err.$worker" >>wrong
    done
    echo "$runs" >>runs
}

# against COMMAND...: beside the others
worker=0
against() {
    worker=$((worker + 1)) runs=0
    until_then "$@" &
}

: >wrong
: >runs
end=$(($(cut -d . -f 1 /proc/uptime) + seconds))
against /sbin/modprobe -a vfat 8021q xt_LOG
against /sbin/modprobe vfat
against /sbin/modprobe -r vfat
against /sbin/modprobe -r 8021q xt_LOG
against /sbin/modprobe -a overlay isofs 8021q
against /sbin/rmmod overlay isofs
wait
echo "-- $NAME: $(awk '{ n += $1 } END { print n }' runs) insertions and removals in $seconds s"
check "insertion against removal: nothing is wrong" not grep . wrong
expect 0 "then it goes in" modprobe -a vfat 8021q xt_LOG overlay isofs
# shellcheck disable=SC2086 # names
check "all is there" loaded vfat fat 8021q xt_LOG overlay isofs
expect 0 "and out" modprobe -r vfat 8021q xt_LOG overlay isofs
check "it is gone" absent vfat fat 8021q xt_LOG overlay isofs
unload-all >still

if has depmod; then
    tree=/tmp/scratch/lib/modules/$REL
    mkdir -p "${tree%/*}"
    cp -r "$MODULES" "$tree"
    shown() { /sbin/nanomod modprobe -d /tmp/scratch -a -D vfat 8021q xt_LOG overlay isofs; }
    looked() { timeout 60 /sbin/nanomod coldplug -n -d /tmp/scratch; }
    /sbin/nanomod depmod -b /tmp/scratch "$REL"
    shown >shown.whole
    looked >looked.whole
    # again_and_again WHAT: until the time is over, and always the same
    again_and_again() {
        while [ "$(cut -d . -f 1 /proc/uptime)" -lt "$end" ]; do
            "$1" >"$1.now" 2>"$1.err" || echo "$1: $?, $(head -n 1 "$1.err")" >>wrong
            cmp -s "$1.now" "$1.whole" || echo "$1: another answer" >>wrong
        done
    }
    end=$(($(cut -d . -f 1 /proc/uptime) + seconds))
    again_and_again shown &
    again_and_again looked &
    runs=0
    while [ "$(cut -d . -f 1 /proc/uptime)" -lt "$end" ]; do
        timeout 60 /sbin/nanomod depmod -b /tmp/scratch "$REL" 2>>wrong || echo "depmod: $?" >>wrong
        runs=$((runs + 1))
    done
    wait
    echo "-- $NAME: $runs times depmod under lookups"
    check "indexes that are written meanwhile: always the same answers" not grep . wrong
fi
