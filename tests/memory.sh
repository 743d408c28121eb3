#!/bin/bash
# memory.sh BINARY TREE [RELEASE]
#
# Holds the peak of nanomod's memory (the resident set, as the kernel counts it) under
# ceilings, for lookups in a distribution kernel's tree (TREE/lib/modules/RELEASE, indexed
# by depmod): by the indexes, and by the text files alone, which is what busybox's depmod
# leaves. What is looked at must not stay: an initramfs may have 64 MB for everything.
#
# What the binary was built without is passed over. coldplug runs in a chroot, which needs
# root. The last line is `N passed, M failed`.
set -euo pipefail
# shellcheck source=scripts/lib/setup.sh
. "$(dirname "$0")/../scripts/lib/setup.sh"
export LC_ALL=C

[ $# -ge 2 ] || die "usage: memory.sh BINARY TREE [RELEASE]"
binary=$(realpath "$1") || die "no binary $1"
tree=$(realpath "$2") || die "no tree $2"
release=${3:-$(ls "$tree/lib/modules")}
modules=$tree/lib/modules/$release
[ -s "$modules/modules.dep.bin" ] || die "$modules is not indexed: run depmod"
need strace gcc musl-tools:musl-gcc
mkdir -p "$cache"
# Beside the trees, so that their files can be linked to.
work=$(mktemp -d "$cache/memory.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM
mkdir "$work/config"
passed=0
failed=0

# peak FILE COMMAND... writes to FILE how many kilobytes the largest of the command's
# processes had at most, and its status. Static and of a few pages, as they count for the command until its exec.
cat >"$work/peak.c" <<'C'
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int count, char **words)
{
    struct rusage usage;
    long most = 0;
    int status = 0, its;
    pid_t child, ended;
    /* What outlives its own parent is waited for, too: workers. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    child = fork();
    if (child == 0) {
        execv(words[2], words + 2);
        _exit(126);
    }
    FILE *file = fopen(words[1], "w");
    if (count < 3 || child < 0 || !file)
        return 125;
    while ((ended = wait4(-1, &its, 0, &usage)) > 0) {
        if (usage.ru_maxrss > most)
            most = usage.ru_maxrss;
        if (ended == child)
            status = its;
    }
    fprintf(file, "%ld %d\n", most, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(file) != 0;
}
C
musl-gcc -static -Os -o "$work/peak" "$work/peak.c"

# check WHAT CEILING STATUS: compares what `peak` noted with kilobytes and a status, of
# which `any` is every one below that of a signal.
check() {
    local kilobytes status
    read -r kilobytes status <"$work/noted" || { kilobytes=999999999 status=none; }
    if [ "$kilobytes" -le "$2" ] && { [ "$status" = "$3" ] || { [ "$3" = any ] && [ "$status" -lt 2 ]; }; }; then
        passed=$((passed + 1))
        printf 'ok    %-58s %7d kB of %6d\n' "$1" "$kilobytes" "$2"
    else
        failed=$((failed + 1))
        printf 'FAIL  %-58s %7s kB of %6d, status %s\n' "$1" "$kilobytes" "$2" "$status"
    fi
}

# measure WHAT CEILING STATUS COMMAND...
measure() {
    local what=$1 ceiling=$2 status=$3
    shift 3
    rm -f "$work/noted"
    "$work/peak" "$work/noted" "$@" >/dev/null 2>&1 </dev/null || true
    check "$what" "$ceiling" "$status"
}

has() {
    "$binary" --version | grep -qiw -- "+$1"
}

# The same tree with its text files alone.
text=$work/text/lib/modules/$release
mkdir -p "$text"
for file in dep alias symbols builtin builtin.modinfo order softdep; do
    cp "$modules/modules.$file" "$text"
done
ln -s "$modules/kernel" "$text/kernel"

sed 's/:.*//; s/.*\///; s/\.ko.*//' "$modules/modules.dep" >"$work/names"
# Where they are mostly, paths are no longer than this.
(cd "$modules" && find kernel -name '*.ko*') | sort >"$work/files"
# A device that each pattern is for, as far as one is easily found.
sed -n 's/^alias \([^ ]*:[^ ]*\) .*/\1/p' "$modules/modules.alias" | grep -v '[[?]' |
    sed 's/\*/0/g' | sort -u >"$work/all"
# drawn COUNT: so many of them, evenly.
drawn() {
    awk -v all="$(wc -l <"$work/all")" -v wanted="$1" \
        'int(NR * wanted / all) > int((NR - 1) * wanted / all)' "$work/all"
}
drawn 300 >"$work/300"
drawn 5000 >"$work/5000"
mapfile -t names <"$work/names"
mapfile -t files <"$work/files"
mapfile -t few <"$work/300"
mapfile -t many <"$work/5000"
one=$(grep -m 1 '^pci:' "$work/300")

# A compressed module is decompressed whole, its symbols are at the end: the largest takes
# 28 MB, and so much again while there is made room for it.
image=0
! head -n 1 "$work/files" | grep -q '\.ko\.' || image=40960

for kind in indexes text; do
    root=$tree
    [ $kind = indexes ] || root=$work/text
    of=(-C "$work/config" -d "$root" -S "$release")
    measure "$kind: -D ext4" 1536 0 "$binary" modprobe "${of[@]}" -D ext4
    measure "$kind: -D of a modalias" 1536 0 "$binary" modprobe "${of[@]}" -D "$one"
    measure "$kind: ${#few[@]} modaliases" 6144 any "$binary" modprobe "${of[@]}" -n -q -a "${few[@]}"
    measure "$kind: ${#many[@]} modaliases" 12288 any "$binary" modprobe "${of[@]}" -n -q -a "${many[@]}"
    measure "$kind: ${#names[@]} names" 24576 0 "$binary" modprobe "${of[@]}" -n -q -a "${names[@]}"
    jobs=()
    ! has jobs || jobs=(-j 4)
    rm -f "$work/noted"
    strace -f --seccomp-bpf -qq -o /dev/null -e trace=finit_module,init_module \
        -e inject=finit_module,init_module:retval=0 "$work/peak" "$work/noted" \
        "$binary" modprobe "${of[@]}" -q -a "${jobs[@]}" "${names[@]}" >/dev/null 2>&1 || true
    # Each worker may have a module's image ready before its turn.
    check "$kind: insert ${#names[@]} names ${jobs[*]}" $((24576 + 2 * image)) any
    if has modinfo; then
        measure "$kind: modinfo of ${#names[@]} names" $((6144 + image)) 0 \
            "$binary" modinfo -b "$root" -k "$release" "${names[@]}"
    fi
done
measure "a wrong option behind ${#names[@]} names" 4096 1 "$binary" modprobe -a "${names[@]}" --wrong
if has modinfo; then
    cd "$modules"
    measure "modinfo of ${#files[@]} files" $((6144 + image)) 0 "$binary" modinfo "${files[@]}"
    cd "$top"
fi
if has depmod; then
    mkdir "$work/out"
    measure "depmod of ${#files[@]} modules" $((40960 + 2 * image)) 0 \
        "$binary" depmod -j 2 -C "$work/config" -b "$tree" -o "$work/out" "$release"
fi

# A machine of 2,000 devices.
mkdir -p "$work/machine"/{sys/devices/pci0000:00,proc,etc}
cp "$binary" "$work/machine/nanomod"
cp "$work/peak" "$work/machine/peak"
drawn 2000 | awk '{ printf "%04d %s\n", NR, $0 }' | while read -r number modalias; do
    device=$work/machine/sys/devices/pci0000:00/$number
    mkdir "$device" "$device/power"
    echo "$modalias" >"$device/modalias"
    echo "MODALIAS=$modalias" >"$device/uevent"
done
for kind in indexes text; do
    rm -rf "$work/machine/lib"
    mkdir -p "$work/machine/lib/modules"
    if [ $kind = indexes ]; then
        cp -al "$modules" "$work/machine/lib/modules/$release"
    else
        cp -a "$text" "$work/machine/lib/modules/$release"
        rm "$work/machine/lib/modules/$release/kernel"
        cp -al "$modules/kernel" "$work/machine/lib/modules/$release/kernel"
    fi
    rm -f "$work/noted" "$work/machine/noted"
    as_root chroot "$work/machine" /peak /noted /nanomod coldplug -n -S "$release" >/dev/null 2>&1 </dev/null || true
    [ ! -s "$work/machine/noted" ] || cp "$work/machine/noted" "$work/noted"
    check "$kind: coldplug -n of 2000 devices" 16384 any
    # What is inserted, and looked at again for the report of what did not come. Each worker
    # may have a module's image ready before its turn.
    rm -f "$work/noted" "$work/machine/noted"
    as_root strace -f --seccomp-bpf -qq -o /dev/null -e trace=finit_module,init_module \
        -e inject=finit_module,init_module:retval=0 \
        chroot "$work/machine" /peak /noted /nanomod coldplug -v -S "$release" \
        --timeout 20 --wait-for /nowhere >/dev/null 2>&1 </dev/null || true
    [ ! -s "$work/machine/noted" ] || cp "$work/machine/noted" "$work/noted"
    check "$kind: coldplug of 2000 devices" $((16384 + 2 * image)) 2
done

# Where the kernel tells nothing, coldplug looks at all devices five times a second: however
# long it waits, it takes no more. There is no module for any of them, as what is inserted
# takes memory, too, and more of them are the longer it takes.
# waiting SECONDS: the kilobytes that it had at most
waiting() {
    rm -f "$work/machine/noted"
    as_root strace -f --seccomp-bpf -qq -o /dev/null -e trace=socket \
        -e inject=socket:error=EAFNOSUPPORT \
        chroot "$work/machine" /peak /noted /nanomod coldplug -q -S none \
        --timeout "$1" --wait-for /nowhere >/dev/null 2>&1 </dev/null || true
    cut -d ' ' -f 1 "$work/machine/noted"
}
before=$(waiting 3)
rm -f "$work/noted"
waiting 9 >/dev/null
[ ! -s "$work/machine/noted" ] || cp "$work/machine/noted" "$work/noted"
check "coldplug that waits 9 s and not 3, without netlink" $((before + 256)) 2

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
