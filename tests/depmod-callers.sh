#!/bin/sh
# depmod-callers.sh BINARY TREE [RELEASE]
#
# Runs nanomod's depmod as programs that build systems call it, word for word, over a small
# tree with modules of a distribution kernel's (TREE/lib/modules/RELEASE, not compressed):
# first as it is, where kmod's has to make the same;
# then with what such trees have besides modules, which has to make no difference; then
# with a module that is damaged. The last line is `N passed, M failed`.
set -eu
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
[ $# -ge 2 ] || { echo "usage: depmod-callers.sh BINARY TREE [RELEASE]" >&2 && exit 2; }
binary=$(realpath "$1")
origin=$(realpath "$2")
release=${3:-$(ls "$origin/lib/modules")}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/nanomod" "$work/kmod"
ln -s "$binary" "$work/nanomod/depmod"
ln -s "$(command -v depmod)" "$work/kmod/depmod"
passed=0
failed=0
: >"$work/difference"

# check WHAT COMMAND...
check() {
    what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok: $what"
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        head -n 5 "$work/err" "$work/difference" | cut -c 1-200 | sed 's/^/    /'
    fi
}

# plant RELEASE: a tree with modules that need each other.
plant() {
    rm -rf "$work/root"
    at=$work/root/lib/modules/$1
    mkdir -p "$at" "$work/root/lib/depmod.d"
    (cd "$origin/lib/modules/$release" &&
        find kernel/fs/fat kernel/fs/minix kernel/fs/nls kernel/net/802 kernel/net/8021q |
        cpio -pdm --quiet "$at")
    for list in order builtin builtin.modinfo; do
        cp "$origin/lib/modules/$release/modules.$list" "$at"
    done
}

# What is no module: links to nothing and in a circle, and what others leave behind.
add_strays() {
    mkdir -p "$at/weak-updates/updates" "$at/extra/dir.ko" "$at/kernel/fs/fat/.debug"
    ln -s /usr/lib/modules/1.2.3/updates/gone.ko "$at/weak-updates/updates/gone.ko"
    ln -s round.ko "$at/extra/round.ko"
    ln -s "$at/modules.dep/below.ko" "$at/extra/below.ko"
    cp "$at/kernel/fs/fat/vfat.ko" "$at/kernel/fs/fat/.debug/vfat.ko"
    : >"$at/extra/.wh.minix.ko"
    : >"$at/extra/empty.ko"
    echo "version https://git-lfs.github.com/spec/v1" >"$at/extra/pointer.ko"
    mkfifo "$at/extra/fifo.ko"
}

# same: the indexes are what kmod made of the tree when it was clean.
same() {
    mkdir -p "$work/now"
    rm -f "$work/now"/*
    cp "$at"/modules.* "$work/now"
    sort -o "$work/now/modules.symbols" "$work/now/modules.symbols"
    # kmod before 33 knows no weak dependencies.
    [ -e "$work/clean/modules.weakdep" ] || rm -f "$work/now/modules.weakdep"
    diff -r "$work/clean" "$work/now" >"$work/difference"
}

# status N: the last call ended so.
status() {
    [ "$ended" = "$1" ]
}

# call TOOL: the caller's line, in $work, whose standard error is kept
call() {
    ended=0
    (cd "$work" && "$caller" "$work/$1/depmod" >"$work/out" 2>"$work/err") || ended=$?
}

# asked NAME RELEASE: all of it for one caller
asked() {
    caller=$1
    plant "$2"
    call kmod
    mkdir "$work/clean"
    cp "$at"/modules.* "$work/clean"
    sort -o "$work/clean/modules.symbols" "$work/clean/modules.symbols"
    cp "$work/err" "$work/kmod.err"
    plant "$2"
    call nanomod
    check "$caller: a clean tree" status 0
    check "$caller: as by kmod" same
    check "$caller: which says the same" cmp "$work/err" "$work/kmod.err"
    plant "$2"
    add_strays
    call nanomod
    check "$caller: with strays" status 0
    check "$caller: that are passed over" same
    check "$caller: and named, all of them" named 8
    plant "$2"
    head -c 3000 "$at/kernel/fs/minix/minix.ko" >"$at/kernel/fs/damaged.ko"
    call nanomod
    check "$caller: with a damaged module" status 1
    check "$caller: all others are indexed" same
    check "$caller: and it is named" grep -q "ERROR: .*/kernel/fs/damaged.ko.*left out" "$work/err"
    rm -r "$work/clean"
}

# named N: so many strays have been told of, by which nobody is led to believe that symbols
# are missing
named() {
    [ "$(grep -c "^depmod: WARNING: .*\.\(ko\|debug\)\b" "$work/err")" -ge "$1" ] &&
        ! grep -qE ' (needs unknown|disagrees about version of) symbol ' "$work/err"
}

# What the modules of the tree want, as a kernel's build lists what it has: Module.symvers and
# System.map. Debian's packages have neither.
symvers() {
    find "$at/kernel" -name '*.ko' -exec modprobe --show-modversions {} \; |
        sort -u | awk '{ print $1 "\t" $2 "\tvmlinux\tEXPORT_SYMBOL\t" }' >"$work/all"
    find "$at/kernel" -name '*.ko' -exec modprobe --show-exports {} \; 2>/dev/null |
        awk '{ print $2 }' | sort -u >"$work/own"
    awk 'NR == FNR { own[$1]; next } !($2 in own)' "$work/own" "$work/all" >"$work/symvers"
    awk '{ print "0000000000000000 r __ksymtab_" $2 }' "$work/symvers" >"$work/System.map"
}

# openSUSE's weak-modules2, which takes both streams for one.
weak_modules2() {
    "$1" -b "$work/root" -ae -E "$work/symvers" "$release"
}

# Yocto's depmodwrapper-cross, for a kernel with symbols to check.
depmodwrapper_cross() {
    "$1" -C "$work/root/lib/depmod.d" -a -b "$work/root" \
        -F "$work/System.map" "$release"
}

# virtme-prep-kdir-mods, below a kernel's build directory.
virtme_prep_kdir_mods() {
    "$1" -ae -F "$work/System.map" -b root 0.0.0
}

# Buildroot's hook at the end of a target.
buildroot_finalize() {
    "$1" -a -b "$work/root" "$release"
}

plant "$release"
symvers
asked weak_modules2 "$release"
asked depmodwrapper_cross "$release"
asked virtme_prep_kdir_mods 0.0.0
asked buildroot_finalize "$release"

echo "depmod-callers: $passed passed, $failed failed"
[ "$failed" = 0 ]
