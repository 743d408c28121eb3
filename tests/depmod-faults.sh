#!/bin/sh
# depmod-faults.sh BINARY TREE [RELEASE]
#
# Has faults happen to nanomod's depmod with modules of a distribution kernel
# (TREE/lib/modules/RELEASE, indexed by depmod): full disks, kills, calls of the
# kernel that fail, damaged modules, several runs at once. Whatever happens with --strict,
# either it says that all went well, and then the indexes are the right ones; or it fails
# with words, the old indexes are still there, byte for byte, and nothing else is left.
# Without it, a module that can't be read is left out.
# After a kill there may be old files beside new ones: then both modprobes find all
# that is in both, and the next run puts everything right. Besides: modules in great
# numbers, and with great numbers of symbols, as kmod indexes them.
#
# Needs root: it mounts, in a namespace of its own. The last line is `N passed, M failed`.
set -eu
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

die() {
    echo "depmod-faults: $*" >&2
    exit 2
}

[ $# -ge 2 ] || die "usage: depmod-faults.sh BINARY TREE [RELEASE]"
if [ "${DEPMOD_FAULTS:-}" != unshared ]; then
    unshare -m true ||
        die "CANNOT MOUNT: this needs root, and a machine or container that may unshare"
    DEPMOD_FAULTS=unshared exec unshare -m "$0" "$@"
fi
binary=$(realpath "$1") || die "no binary $1"
origin=$(realpath "$2") || die "no tree $2"
[ -x "$binary" ] || die "$binary cannot be run"
if [ $# -ge 3 ]; then
    release=$3
else
    release=$(ls "$origin/lib/modules")
    case $release in *[!A-Za-z0-9.+_-]*) die "which of these releases: $release" ;; esac
fi
below=lib/modules/$release
[ -s "$origin/$below/modules.dep" ] || die "$origin/$below is not indexed: run depmod"
for tool in depmod modprobe strace zstd xz gzip gcc; do
    command -v "$tool" >/dev/null || die "$tool is needed"
done

work=$(mktemp -d)
trap 'cd / && umount "$work/disk" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 2' INT TERM
mkdir "$work/disk" "$work/config"
mount -t tmpfs -o size=64m none "$work/disk" ||
    die "CANNOT MOUNT a tmpfs: most of this test needs it"
strace -o /dev/null true || die "CANNOT TRACE: most of this test needs strace to work"
ln -s "$binary" "$work/modprobe"
passed=0
failed=0

# check WHAT COMMAND...
check() {
    what=$1
    shift
    since=$(date +%s)
    if "$@"; then
        passed=$((passed + 1))
        echo "ok: $what, $(($(date +%s) - since)) s"
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
    fi
}

# --- two trees, what their indexes are, and what they have in common

# pick TO BLOCK...: these of 36 sorts of blocks of 32 modules, and all with a device node
pick() {
    to=$1/$below
    shift
    mkdir -p "$to"
    (
        cd "$origin/$below"
        awk -F: -v blocks=" $* " '
            FILENAME == "modules.devname" {
                sub(/ .*/, "")
                nodes[$0]
                next
            }
            {
                name = $1
                gsub(/.*\/|\.ko.*/, "", name)
                gsub(/-/, "_", name)
            }
            name in nodes || index(blocks, " " int(FNR / 32) % 36 " ") { print $1 }
            ' modules.devname modules.dep >"$work/picked"
        xargs -a "$work/picked" cp -al --parents -t "$to" 2>/dev/null ||
            xargs -a "$work/picked" cp -a --parents -t "$to"
        cp modules.order modules.builtin modules.builtin.modinfo "$to/"
    )
}

# index TREE TO [OPTION...]
index() {
    from=$1
    to=$2
    shift 2
    "$binary" depmod -b "$from" -o "$to" "$release" "$@"
}

pick "$work/a" 0 1 2
pick "$work/b" 1 2 3
for tree in a b; do
    index "$work/$tree" "$work/set-$tree"
    sed 's/:.*//; s/.*\///; s/\.ko.*$//' "$work/set-$tree/$below/modules.dep" |
        sort -u >"$work/$tree.names"
    sed -n '/\[/d; s/^alias \(.*\) [^ ]*$/\1/p' "$work/set-$tree/$below/modules.alias" \
        "$work/set-$tree/$below/modules.symbols" | sort -u >"$work/$tree.keys"
done
comm -12 "$work/a.names" "$work/b.names" >"$work/names"
comm -12 "$work/a.keys" "$work/b.keys" >"$work/keys"

# Where lookups are made: all modules, and links to the indexes.
out=$work/out
mkdir -p "$work/look/$below"
ln -s "$origin/$below/kernel" "$work/look/$below/"
for file in "$work/set-a/$below"/*; do
    ln -s "$out/$below/${file##*/}" "$work/look/$below/"
done

# found MODPROBE: what it finds of the keys that both have; fails where a name fails
found() {
    set -- "$1" -C "$work/config" -d "$work/look" -S "$release" -a
    xargs -a "$work/names" "$@" -D >/dev/null && xargs -a "$work/keys" -d '\n' "$@" -R
}

# --- what is looked at

old=$work/set-a
new=$work/set-b

# Puts the old indexes where the new ones shall come.
restore() {
    rm -rf "${out:?}"
    cp -a "$old" "$out"
}

complain() {
    echo "  $*"
    return 1
}

is_old() { diff -rq "$old" "$out" >"$work/diff"; }
is_new() { diff -rq "$new" "$out" >"$work/diff"; }
only_names() { [ "$(ls -A "$out/$below")" = "$(ls -A "$old/$below")" ]; }

for tree in a b; do
    rm -rf "$out"
    cp -a "$work/set-$tree" "$out"
    found modprobe >"$work/$tree.found" 2>"$work/err" || die "kmod does not find all"
    [ "$(wc -l <"$work/$tree.names")" -gt "$(wc -l <"$work/names")" ] || die "one is in the other"
done
[ "$(wc -l <"$work/names")" -gt 100 ] || die "the trees have too little in common"
[ "$(wc -l <"$work/keys")" -gt 500 ] || die "the trees have too little in common"

# Each file is the old one or the new one, and all that both know is found.
is_mixture() {
    for file in "$old/$below"/*; do
        file=$below/${file##*/}
        cmp -s "$old/$file" "$out/$file" || cmp -s "$new/$file" "$out/$file" ||
            complain "${file##*/} is neither old nor new" || return
    done
    is_known
}

is_known() {
    for modprobe in modprobe "$work/modprobe"; do
        found "$modprobe" >"$work/found" 2>"$work/err" ||
            complain "$modprobe: $(head -n 1 "$work/err")" || return
        cmp -s "$work/found" "$work/a.found" || cmp -s "$work/found" "$work/b.found" ||
            complain "$modprobe finds neither what was known nor what is" || return
    done
}

# goes_on: the next run puts everything right
goes_on() {
    index "$work/b" "$out" || complain "the next run fails" || return
    is_new || complain "the next run makes something else: $(head -n 1 "$work/diff")"
}

# said FILE: the failure was told, and what it was about
said() {
    grep -q '^depmod: \(ERROR\|FATAL\): ' "$work/err" || complain "no words" || return
    grep -qF "$1" "$work/err" || complain "$1 is not named: $(head -n 1 "$work/err")"
}

# fails NAME COMMAND...: status 1, with words about NAME, and the old set
fails() {
    about=$1
    shift
    status=0
    "$@" >"$work/log" 2>"$work/err" || status=$?
    [ "$status" = 1 ] || complain "status $status, not 1: $(head -n 1 "$work/err")" || return
    said "$about" || return
    is_old || complain "the old set is not there: $(head -n 1 "$work/diff")"
}

# succeeds COMMAND...: and the new set
succeeds() {
    "$@" >"$work/log" 2>"$work/err" ||
        complain "status $?: $(head -n 1 "$work/err")" || return
    is_new || complain "another set: $(head -n 1 "$work/diff")"
}

# --- full disks

ls "$new/$below" >"$work/files"

# full size|nr_inodes FIELD UNIT SUFFIX: has one UNIT more at each turn, until all fits
full() {
    mount -o remount,size=64m,nr_inodes=10000 "$work/disk"
    restore
    used=$(df --output="$2" "$work/disk" | tail -n 1)
    more=0
    : >"$work/refused"
    while :; do
        mount -o "remount,$1=$((used + more * $3))$4" "$work/disk" || return
        index "$work/b" "$out" >"$work/log" 2>"$work/err" && break
        fails "No space left on device" index "$work/b" "$out" || return
        sed -n 's/.*could not write [^ ]*\/\(modules\.[a-z.]*\): .*/\1/p' "$work/err" \
            >>"$work/refused"
        more=$((more + 1))
    done
    is_new || complain "another set: $(head -n 1 "$work/diff")" || return
    sort -u "$work/refused" | diff "$work/files" - || complain "not each file was refused once"
}

# A whole distribution's indexes: the disk is full in the midst of each large one.
full_of_all() {
    mount -o remount,size=64m,nr_inodes=10000 "$work/disk"
    restore
    used=$(df --output=used "$work/disk" | tail -n 1)
    size=$(du -sk "$work/all" | cut -f1)
    for part in 1 3 5 7 9; do
        mount -o "remount,size=$((used + size * part / 10))k" "$work/disk" || return
        fails "No space left on device" index "$origin" "$out" || return
    done
}

read_only() {
    mount -o remount,size=64m,nr_inodes=10000 "$work/disk"
    restore
    mount -o remount,ro "$work/disk"
    fails "Read-only file system" index "$work/b" "$out" || return
    fails "Read-only file system" index "$work/b" "$work/disk/none/yet" || return
    mount -o remount,rw "$work/disk"
}

index "$origin" "$work/all"
out=$work/disk/out
check "a disk is full at each page of each file" full size used 4 k
check "a disk has no room for each file's inode" full nr_inodes iused 1 ''
check "a disk is full with the indexes of all modules" full_of_all
check "a disk is read-only" read_only
rm -rf "$out"
out=$work/out

# --- kills

# Names that not each architecture has are marked for strace.
renames='?rename,?renameat,?renameat2'
writes='write,writev,pwrite64,?sendfile,?copy_file_range'
syncs='fsync,fdatasync,?sync_file_range,syncfs'
unlinks='?unlink,unlinkat'
opens='?open,openat,?openat2'

# traced CALLS INJECTED N [OPTION...]: nanomod, with this done to its Nth of each of
# these calls; strace has the options
traced() {
    calls=$1
    inject=$1:$2:when=$3
    shift 3
    strace "$@" -q -o "$work/trace" -e trace="$calls" -e inject="$inject" \
        "$binary" depmod --strict -j 1 -b "$work/b" -o "$out" "$release"
}

# killed_at CALLS LEAST: before each of these calls in turn, of which there are so many
killed_at() {
    turn=1
    while :; do
        restore
        status=0
        { traced "$1" signal=KILL "$turn"; } >"$work/log" 2>&1 || status=$?
        [ "$status" != 0 ] || break
        [ "$status" = 137 ] || complain "status $status" || return
        is_old || is_mixture || complain "before the ${turn}th" || return
        goes_on || complain "after a kill before the ${turn}th" || return
        turn=$((turn + 1))
    done
    is_new || complain "another set: $(head -n 1 "$work/diff")" || return
    [ "$turn" -gt "$2" ] || complain "only $((turn - 1)) times"
}

# killed_midway: at 50 moments, with all modules of the distribution, whose indexes
# are the new ones here
killed_midway() {
    took=100000
    for _ in 1 2 3; do
        began=$(date +%s%N)
        index "$origin" "$out" || return
        now=$((($(date +%s%N) - began) / 1000000))
        [ "$now" -ge "$took" ] || took=$now
    done
    kills=0
    awk -v seed="$$" -v took="$took" 'BEGIN {
        srand(seed)
        for (i = 0; i < 150; i++) printf "%.4f\n", rand() * took / 1000
    }' >"$work/moments"
    while [ "$kills" -lt 50 ] && read -r moment; do
        restore
        status=0
        { timeout -s KILL "$moment" "$binary" depmod -b "$origin" -o "$out" "$release"; } \
            >"$work/log" 2>&1 || status=$?
        case $status in
        137) kills=$((kills + 1)) ;;
        0) is_new || complain "another set" || return ;;
        *) complain "status $status" || return ;;
        esac
        is_old || is_new || is_mixture || complain "killed after $moment s" || return
    done <"$work/moments"
    index "$origin" "$out" || return
    is_new || complain "the next run makes something else" || return
    [ "$kills" -gt 25 ] || complain "only $kills kills in $took ms"
}

check "a kill before each rename" killed_at "$renames" 11
check "a kill before each write" killed_at "$writes" 11
check "a kill before each sync" killed_at "$syncs" 11
check "a kill before each unlink" killed_at "$unlinks" 11
new=$work/all
mv "$work/b.found" "$work/b.found.kept"
rm -rf "$out"
cp -a "$new" "$out"
found modprobe >"$work/b.found"
check "50 kills at any moment, all modules" killed_midway
mv "$work/b.found.kept" "$work/b.found"
new=$work/set-b

# --- calls that fail

# failing CALLS ERROR STEP [LEAST]: each STEPth of these calls in turn
failing() {
    turn=1
    refused=0
    while :; do
        restore
        status=0
        traced "$1" "error=$2" "$turn" -f --seccomp-bpf >"$work/log" 2>"$work/err" || status=$?
        grep -q INJECTED "$work/trace" || break
        where="the ${turn}th fails: $(grep INJECTED "$work/trace" | head -n 1)"
        case $status in
        0) is_new || complain "success, but another set; $where" || return ;;
        1)
            refused=$((refused + 1))
            said "" || complain "$where" || return
            # Without memory it ends at once.
            if [ "$2" = ENOMEM ] && grep -qx 'depmod: FATAL: out of memory' "$work/err"; then
                is_old || is_mixture || complain "$where" || return
                goes_on || complain "$where" || return
            else
                # A rename that fails comes behind others that don't.
                is_old || { [ "$1" = "$renames" ] && is_mixture && only_names; } ||
                    complain "the old set is not there; $where" || return
            fi
            ;;
        *) complain "status $status; $where" || return ;;
        esac
        turn=$((turn + $3))
    done
    [ "$turn" -gt 1 ] || complain "no such calls" || return
    [ "$refused" -ge "${4:-1}" ] || complain "only $refused times"
}

# harmless CALLS ERROR OPTION...: all of these calls fail, and it does not matter
harmless() {
    calls=$1
    error=$2
    shift 2
    restore
    succeeds strace -f -q -o "$work/trace" -e trace="$calls" -e inject="$calls:error=$error" \
        "$binary" depmod "$@" -b "$work/b" -o "$out" "$release" || return
    grep -q INJECTED "$work/trace" || complain "no such calls"
}

# unreadable CALLS ERROR: for one file, one of these calls in turn, or all from there on
unreadable() {
    file=$(find "$work/b" -name '*.ko' | sort | sed -n 20p)
    turn=1
    while :; do
        for when in "$turn" "$turn+"; do
            restore
            status=0
            strace -f -q -o "$work/trace" -P "$file" -e trace="$1" \
                -e inject="$1:error=$2:when=$when" "$binary" depmod --strict -b "$work/b" \
                -o "$out" "$release" >"$work/log" 2>"$work/err" || status=$?
            grep -q INJECTED "$work/trace" || break 2
            # It may try again.
            [ "$status.$when" != "0.$turn" ] || ! is_new || continue
            [ "$status" = 1 ] ||
                complain "status $status: $(grep INJECTED "$work/trace")" || return
            said "$file" || return
            is_old || complain "the old set is not there: $(head -n 1 "$work/diff")" || return
        done
        turn=$((turn + 1))
    done
    is_new || complain "another set: $(head -n 1 "$work/diff")" || return
    [ "$turn" -gt 1 ] || complain "no such calls"
}

check "each rename fails" failing "$renames" EIO 1 11
check "each write fails" failing "$writes" EIO 1 11
check "each sync of a file fails" failing "$syncs" EIO 1 11
check "each unlink fails" failing "$unlinks" EACCES 1 11
check "files and directories cannot be opened" failing "$opens" EACCES 5
check "directories cannot be read" failing getdents64 EIO 2
check "modules cannot be read" failing '?pread64,?preadv,?mmap2' EIO 41
check "lists cannot be read" failing read EIO 1
check "there is no memory" failing mmap,brk ENOMEM 17
check "no lock" harmless flock,fcntl ENOLCK
check "no thread" harmless 'clone,?clone3,?fork,?vfork' EAGAIN -j 4
check "a module cannot be opened" unreadable "$opens" EACCES
check "parts of a module cannot be read" unreadable pread64,read,readv,?preadv EIO

# --- several at once

# at_once ROUNDS TREE...: all of these at a time; then there is one of their sets
at_once() {
    rounds=$1
    shift
    restore
    for _ in $(seq "$rounds"); do
        runs=
        for tree in "$@"; do
            index "$tree" "$out" >"$work/log" 2>&1 &
            runs="$runs $!"
        done
        for run in $runs; do
            wait "$run" || complain "one of them fails: $(head -n 1 "$work/log")" || return
        done
        is_new || is_old || complain "a mixture: $(head -n 1 "$work/diff")" || return
    done
}

# meanwhile: what both know is found all the time
meanwhile() {
    restore
    : >"$work/go"
    while [ -e "$work/go" ]; do
        index "$work/b" "$out" && index "$work/a" "$out" || return
    done &
    run=$!
    result=0
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        is_known || result=1
        kill -0 "$run" || result=1
    done
    rm "$work/go"
    wait "$run" || complain "a run fails" || return
    return "$result"
}

check "4 at once, of two trees" at_once 10 "$work/a" "$work/b" "$work/b" "$work/a"
new=$work/all
check "4 at once, all modules" at_once 1 "$origin" "$origin" "$origin" "$origin"
new=$work/set-b
check "lookups meanwhile" meanwhile

# --- damaged modules

good=$(find "$work/b" -name '*.ko' -size +40k | sort | head -n 1)
bad=$work/b/$below/kernel/damaged
mkdir "$bad"

# damaged NAME COMMAND...: the module that the command prints is named, and not in the index
damaged() {
    file=$bad/$1
    shift
    "$@" >"$file"
    restore
    fails "$file" timeout 60 "$binary" depmod --strict -b "$work/b" -o "$out" "$release" &&
        left_out "$file"
    result=$?
    rm "$file"
    return "$result"
}

# left_out FILE: all others are indexed
left_out() {
    status=0
    timeout 60 "$binary" depmod -b "$work/b" -o "$out" "$release" >"$work/log" 2>"$work/err" ||
        status=$?
    [ "$status" -le 1 ] || complain "status $status" || return
    grep -qF "$1" "$work/err" || complain "$1 is not named: $(head -n 1 "$work/err")" || return
    is_new || complain "another set: $(head -n 1 "$work/diff")"
}

# packed COMMAND...: a good module, by this
packed() { "$@" -c <"$good"; }

first() { # first SIZE COMMAND...: so many bytes of what it prints
    size=$1
    shift
    "$@" >"$work/whole"
    head -c "$size" "$work/whole"
}

half() { # half COMMAND...
    "$@" >"$work/whole"
    head -c $(($(wc -c <"$work/whole") / 2)) "$work/whole"
}

half_packed() { # half_packed COMMAND...: half a module, whole by this
    half cat "$good" | "$@" -c
}

flipped() { # flipped COMMAND...: another byte is in the middle
    "$@" >"$work/whole"
    middle=$(($(wc -c <"$work/whole") / 2))
    head -c "$middle" "$work/whole"
    tail -c +"$((middle + 1))" "$work/whole" | head -c 1 | tr '\000-\377' '\001-\377\000'
    tail -c +"$((middle + 2))" "$work/whole"
}

unnamed() { # a module whose table of names is not where the header says
    cp "$good" "$work/whole"
    printf '\376\177' | dd of="$work/whole" bs=1 seek=62 conv=notrunc 2>/dev/null
    cat "$work/whole"
}

both_damaged() {
    : >"$bad/one.ko"
    half cat "$good" >"$bad/other.ko"
    restore
    fails "$bad/one.ko" index "$work/b" "$out" --strict && said "$bad/other.ko"
    result=$?
    rm "$bad/one.ko" "$bad/other.ko"
    return "$result"
}

for size in 0 1 16 63 64 1000; do
    check "a module of $size bytes" damaged cut.ko first "$size" cat "$good"
done
check "half a module" damaged cut.ko half cat "$good"
check "no names of sections" damaged cut.ko unnamed
check "two bad modules" both_damaged
for pack in "zst zstd" "xz xz" "gz gzip"; do
    name=cut.ko.${pack% *}
    check "no bytes, $name" damaged "$name" true
    check "the first bytes, $name" damaged "$name" first 8 packed "${pack#* }"
    check "a half, $name" damaged "$name" half packed "${pack#* }"
    check "another byte, $name" damaged "$name" flipped packed "${pack#* }"
    check "half a module, $name" damaged "$name" half_packed "${pack#* }"
done
rmdir "$bad"

# --- odd surroundings

# A directory that is its own, one that leads up, and two that lead to each other.
in_circles() {
    mkdir "$work/b/$below/circles" "$work/b/$below/circles/x" "$work/b/$below/circles/y"
    ln -s . "$work/b/$below/circles/here"
    ln -s ../.. "$work/b/$below/circles/up"
    ln -s ../y "$work/b/$below/circles/x/y"
    ln -s ../x "$work/b/$below/circles/y/x"
    restore
    succeeds timeout 60 "$binary" depmod -b "$work/b" -o "$out" "$release" || return
    grep -q "circles/up leads back" "$work/err" || complain "no words of a circle" || return
    rm -r "$work/b/$below/circles"
}

without_proc() {
    restore
    # shellcheck disable=SC2016 # the inner shell's
    succeeds unshare -m sh -c 'mount -t tmpfs none /proc && [ ! -e /proc/self ] && exec "$@"' - \
        "$binary" depmod -b "$work/b" -o "$out" "$release"
}

without_dev() {
    restore
    # shellcheck disable=SC2016 # the inner shell's
    succeeds unshare -m sh -c 'mount -t tmpfs none /dev && exec "$@"' - \
        "$binary" depmod -b "$work/b" -o "$out" "$release"
}

# What it prints must not get into the files that have the numbers of the streams.
without_streams() {
    for streams in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
        for options in "" "-v -w"; do
            restore
            status=0
            eval '"$binary" depmod $options -b "$work/b" -o "$out" "$release"' "$streams" \
                </dev/null >"$work/log" 2>"$work/err" || status=$?
            { [ "$status" = 0 ] && is_new; } || { [ "$status" = 1 ] && is_old; } ||
                complain "status $status, $streams $options: $(head -n 1 "$work/diff")" || return
        done
    done
}

show_to_full() {
    "$binary" depmod -n -b "$work/b" "$release" >/dev/full
}

full_stream() {
    restore
    fails "No space left on device" show_to_full
}

# Directories and links where the new files shall be written.
in_the_way() {
    restore
    mkdir "$out/$below/.modules.dep.new"
    status=0
    index "$work/b" "$out" >"$work/log" 2>"$work/err" || status=$?
    rmdir "$out/$below/.modules.dep.new" || complain "it is gone" || return
    if [ "$status" = 1 ]; then
        said modules.dep || return
        is_old
    else
        is_new
    fi || complain "another set: $(head -n 1 "$work/diff")" || return
    restore
    echo precious >"$work/precious"
    ln -s "$work/precious" "$out/$below/.modules.alias.new"
    rm "$out/$below/modules.softdep"
    ln -s "$work/precious" "$out/$below/modules.softdep"
    succeeds index "$work/b" "$out" || return
    [ "$(cat "$work/precious")" = precious ] || complain "it wrote through a link"
}

check "links in circles" in_circles
check "no /proc" without_proc
check "no /dev" without_dev
check "streams that are closed" without_streams
check "a stream that is full" full_stream
check "something in the way" in_the_way

# --- great numbers

# as_kmod TREE: both index it, in time, and make the same
as_kmod() {
    cp "$origin/$below/modules.builtin" "$origin/$below/modules.builtin.modinfo" "$1/$below/"
    : >"$1/$below/modules.order"
    timeout 60 "$binary" depmod -b "$1" -o "$1.nanomod" "$release" >"$work/log" 2>"$work/err" ||
        complain "status $?: $(head -n 1 "$work/err")" || return
    depmod -b "$1" "$release" || return
    for file in "$1.nanomod/$below"/*; do
        name=${file##*/}
        [ "$name" != modules.symbols ] || {
            sort -o "$file" "$file"
            sort -o "$1/$below/$name" "$1/$below/$name"
        }
        # kmod before 33 knows no weak dependencies.
        [ "$name" = modules.weakdep ] && [ ! -e "$1/$below/$name" ] ||
            cmp "$1/$below/$name" "$file" || return
    done
}

# One small module under 10,000 names, made by cutting one file that holds them all.
many_modules() {
    mkdir -p "$work/many/$below/kernel"
    small=$(find "$origin/$below/kernel" -name '*.ko' -printf '%s %p\n' | sort -n |
        sed -n '1{s/^[0-9]* //;p;}')
    size=$(wc -c <"$small")
    cp "$small" "$work/pile"
    while [ "$(wc -c <"$work/pile")" -lt $((size * 10000)) ]; do
        cat "$work/pile" "$work/pile" >"$work/pile2"
        mv "$work/pile2" "$work/pile"
    done
    head -c $((size * 10000)) "$work/pile" |
        split -b "$size" -a 4 -d --additional-suffix=.ko - "$work/many/$below/kernel/small-"
    rm "$work/pile"
    as_kmod "$work/many" || return
    [ "$(wc -l <"$work/many/$below/modules.dep")" = 10000 ] || complain "not all are there"
}

# 50,000 symbols of one module, and another that wants them all.
many_symbols() {
    directory=$work/symbols/$below/kernel
    mkdir -p "$directory"
    awk 'BEGIN {
        print ".section .modinfo,\"a\"\n.asciz \"name=exporter\"\n.asciz \"license=GPL\"\n"
        print ".section __ksymtab_strings,\"aMS\",@progbits,1"
        for (i = 0; i < 50000; i++) print ".asciz \"a_symbol_of_many_" i "\""
        for (i = 0; i < 50000; i++)
            printf ".globl __crc_a_symbol_of_many_%d\n.set __crc_a_symbol_of_many_%d, %d\n", i, i, i
    }' >"$work/exporter.s"
    awk 'BEGIN {
        print ".section .modinfo,\"a\"\n.asciz \"name=importer\"\n.asciz \"license=GPL\"\n.data"
        for (i = 0; i < 50000; i++) print ".quad a_symbol_of_many_" i
    }' >"$work/importer.s"
    for name in exporter importer; do
        gcc -c -o "$directory/$name.ko" "$work/$name.s" || return
    done
    as_kmod "$work/symbols" || return
    grep -qx "kernel/importer.ko: kernel/exporter.ko" "$work/symbols/$below/modules.dep" ||
        complain "nothing is needed"
    [ "$(wc -l <"$work/symbols/$below/modules.symbols")" = 50001 ] || complain "too few symbols"
}

check "10,000 modules" many_modules
check "50,000 symbols" many_symbols

echo "depmod-faults: $passed passed, $failed failed"
[ "$failed" = 0 ]
