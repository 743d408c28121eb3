# shellcheck shell=sh disable=SC2034
# What a scenario is written with. A scenario tests by `expect` and `check`; each
# prints one line, `ok NAME: what` or `FAIL NAME: what`, and goes on.

# The guest's shell prefers its own applets to /sbin: these are under test.
modprobe() { /sbin/modprobe "$@"; }
insmod() { /sbin/insmod "$@"; }
rmmod() { /sbin/rmmod "$@"; }
lsmod() { /sbin/lsmod "$@"; }
coldplug() { /sbin/nanomod coldplug "$@"; }

REL=$(uname -r)
MODULES=/lib/modules/$REL

# expect STATUS WHAT COMMAND...: runs it, keeps its output in ./out and ./err.
expect() {
    wanted=$1 what=$2
    shift 2
    "$@" >out 2>err </dev/null
    status=$?
    if [ $status = "$wanted" ]; then
        echo "ok $NAME: $what"
    else
        echo "FAIL $NAME: $what: status $status, not $wanted, from: $*"
        evidence
    fi
}

# check WHAT COMMAND...: true or false, about what the last command left behind.
check() {
    what=$1
    shift
    if "$@"; then
        echo "ok $NAME: $what"
    else
        echo "FAIL $NAME: $what: false: $*"
        evidence
    fi
}

evidence() {
    sed 's/^/    stdout: /; 4q' out
    sed 's/^/    stderr: /; 4q' err
    echo "    loaded: $(cut -d ' ' -f 1 /proc/modules | tr '\n' ' ')"
    dmesg | tail -n 4 | sed 's/^/    kernel: /'
} 2>/dev/null

# has PART: whether the tier of the loader has it, where a scenario can do without some of
# it; what is left out is said.
has() {
    grep -q " $1 " /tests/parts && return
    echo "-- $NAME: tier $(cat /tests/tier) has no $1, which is left out"
    return 1
}

not() { ! "$@"; }
says() { grep -qE -e "$1" err; }
says_text() { grep -qxF -e "$1" err; }
prints() { grep -qE -e "$1" out; }
silent() { [ ! -s out ] && [ ! -s err ]; }

# Nothing is said, but by coldplug which modules it did not wait for: on a slow machine,
# some are not done when what it waits for is there.
silent_or_left() { [ ! -s out ] && not grep -qv "left behind: " err; }

loaded() {
    local module
    for module in "$@"; do
        [ "$(cat "/sys/module/$module/initstate" 2>/dev/null)" = live ] || return 1
    done
}

absent() {
    local module
    for module in "$@"; do
        [ ! -e "/sys/module/$module/initstate" ] || return 1
    done
}

# comes SECONDS COMMAND...: whether it comes true within these
comes() {
    tries=$(($1 * 5))
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.2
    done
}

# start, and then within SECONDS: whether no more than these have passed. For bounds that a
# slow machine keeps, too.
start() { began=$(cut -d . -f 1 /proc/uptime); }
within() { [ $(($(cut -d . -f 1 /proc/uptime) - began)) -lt "$1" ]; }

# ending SECONDS COMMAND...: its status, or 124 where it has not ended by then. It may be one
# that nothing can kill.
ending() {
    limit=$1
    shift
    rm -f ended
    { "$@"; echo $? >ended; } &
    comes "$limit" test -s ended || return 124
    return "$(cat ended)"
}

# From here on dmesg tells what is new; /tests/init looks at all of it.
new_log() { dmesg -c >>/tests/log; }
# What was wrong in the kernel's log was meant to be.
forget_log() { dmesg -c >forgotten; }
# What can't be removed any more.
stuck() { printf '%s\n' "$@" >>/tests/stuck; }

# newer MODULE THAN...: it went in behind all of these
newer() {
    first=$(cut -d ' ' -f 1 /proc/modules | grep -nxF "$1" | cut -d : -f 1)
    shift
    for module in "$@"; do
        next=$(cut -d ' ' -f 1 /proc/modules | grep -nxF "$module" | cut -d : -f 1)
        [ "${first:-999}" -lt "${next:-0}" ] || return 1
    done
}

# parameter MODULE NAME VALUE
parameter() {
    [ "$(cat "/sys/module/$1/parameters/$2")" = "$3" ]
}

# is_json FILE: every value in it is taken for 0, from the innermost on, until one is left.
is_json() {
    tr -d '\n' <"$1" | awk '{
        gsub(/"([^"\\]|\\.)*"/, "0")
        gsub(/[ \t]/, "")
        gsub(/true|false|null|-?[0-9]+(\.[0-9]+)?/, "0")
        while (gsub(/\[(0(,0)*)?\]|\{(0:0(,0:0)*)?\}/, "0")) { }
        exit $0 != "0"
    }'
}

config() {
    printf '%s\n' "$@" >/etc/modprobe.d/test.conf
}

# Not even /dev/null: redirections to it fail between these two.
without_dev() {
    # Lazily, as the console may be open there.
    umount -l /dev
    find /dev -mindepth 1 -maxdepth 1 -exec rm -r {} +
}

with_dev() {
    mount -t devtmpfs dev /dev
}

# spoil KIND: sets tree to a copy of /trees/KIND that may be damaged
spoil() {
    tree=/tmp/scratch/$1
    rm -rf "$tree"
    cp -r "/trees/$1" "$tree"
}

# file TREE MODULE: the file of a module in a tree
file() {
    find "${1%/}/lib/modules" -name "$2.ko*"
}

unload() {
    for module in "$@"; do
        busybox rmmod "$module" 2>/dev/null
    done
    rm -f /etc/modprobe.d/*
}
