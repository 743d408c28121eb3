#!/bin/bash
# endian.sh BINARY OTHER TREE...
#
# Holds what nanomod makes and says on another machine against what it does on this one.
# OTHER is the binary for it, which runs by QEMU: of another byte order, or of another
# size of words. Each TREE holds the modules of one kernel, indexed by kmod's depmod; they
# may be for any machine. Over all of them both must write the same indexes, which are
# kmod's, and both must say the same of all modules, by name and by alias, and of files of
# all kinds. TREE stays as it is. The last line is `endian: N passed, M failed`.
set -euo pipefail
export LC_ALL=C

die() {
    echo "endian: $*" >&2
    exit 2
}

[ $# -ge 3 ] || die "usage: endian.sh BINARY OTHER TREE..."
here=$(realpath "$1")
there=$(realpath "$2")
shift 2
# What its ELF header says that it is for; in its own byte order.
case $(od -An -tx1 -j 5 -N 15 "$there" | tr -d ' \n') in
02*0016) qemu="qemu-s390x" ;;
01*2800) qemu="qemu-arm" ;;
*) die "for what machine is $there?" ;;
esac
for tool in "$qemu" xz zstd gzip modinfo; do
    command -v "$tool" >/dev/null || die "$tool is needed"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check WHAT COMMAND...: true or false; what it prints is the evidence.
check() {
    local what=$1
    shift
    if "$@" >"$work/evidence" 2>&1; then
        echo "ok ${qemu#qemu-}, $rel: $what"
        passed=$((passed + 1))
    else
        echo "FAIL ${qemu#qemu-}, $rel: $what"
        head -n 10 "$work/evidence" | cut -c 1-200 | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

# both TO ARGUMENT...: what each prints goes to TO.here and TO.there. Names, if there is a
# file of them, are more arguments.
both() {
    local to=$work/$1 status
    shift
    for side in here there; do
        status=0
        if [ "$side" = here ]; then set -- "$here" "$@"; else set -- "$qemu" "$there" "${@:2}"; fi
        if [ -n "${names:-}" ]; then
            xargs -d '\n' "$@" <"$names" >"$to.$side" 2>"$to.err" || status=$?
        else
            "$@" >"$to.$side" 2>"$to.err" || status=$?
        fi
        { sed 's/^/stderr: /' "$to.err" && echo "status $status"; } >>"$to.$side"
    done
}

# same TO LINES: both said the same, and at least so many lines
same() {
    diff -U 0 "$work/$1.here" "$work/$1.there" || return 1
    [ "$(wc -l <"$work/$1.here")" -ge "$2" ] || { head "$work/$1.here" && return 1; }
}

same_indexes() {
    local file count=0
    for file in "$work/here/$below"/*; do
        cmp "$file" "$work/there/$below/${file##*/}" || return 1
        count=$((count + 1))
    done
    [ "$count" = "$(find "$work/there/$below" -type f | wc -l)" ] || return 1
    [ "$count" -ge 11 ] || { echo "$count indexes" && return 1; }
}

# kmod lists symbols in the order of a hash table, and knows no weak dependencies.
kmods_indexes() {
    local file
    for file in "$work/there/$below"/*; do
        case $file in
        */modules.weakdep) ;;
        */modules.symbols)
            cmp <(sort "$file") <(sort "$tree/$below/modules.symbols") || return 1
            ;;
        *) cmp "$file" "$tree/$below/${file##*/}" || return 1 ;;
        esac
    done
}

# packed SUFFIX COMMAND...: some files of the tree, packed by it
packed() {
    local suffix=$1 file
    shift
    mkdir -p "$work/packed"
    sed -n '1~40s/:.*//p' "$tree/$below/modules.dep" | while read -r file; do
        case $file in
        *.ko) cat "$tree/$below/$file" ;;
        *.ko.xz) xz -dc "$tree/$below/$file" ;;
        esac | "$@" >"$work/packed/$(basename "${file%.xz}").$suffix"
    done
}

for tree in "$@"; do
    tree=$(realpath "$tree")
    rel=$(basename "$tree"/lib/modules/*)
    below=lib/modules/$rel
    rm -rf "${work:?}"/*
    modules=$(wc -l <"$tree/$below/modules.dep")

    mkdir "$work/here" "$work/there"
    check "depmod here" "$here" depmod -b "$tree" -o "$work/here" "$rel"
    check "depmod there" "$qemu" "$there" depmod -b "$tree" -o "$work/there" "$rel"
    check "the same indexes" same_indexes
    check "which are kmod's" kmods_indexes

    sed 's/:.*//; s/.*\///; s/\.ko.*//' "$tree/$below/modules.dep" >"$work/names"
    # What a device could show, of one alias in ten.
    sed -n 's/^alias \(.*\) [^ ]*$/\1/p' "$tree/$below/modules.alias" |
        sed -n '1~10{s/\*/01/g; s/?/x/g; s/\[\(.\)[^]]*\]/\1/g; p}' >"$work/aliases"
    names=$work/names
    both plan modprobe -C /dev/null -d "$tree" -S "$rel" -a -D
    check "modprobe -D of $modules modules" same plan "$modules"
    both modinfo modinfo -b "$tree" -k "$rel"
    check "modinfo of them" same modinfo $((10 * modules))
    names=$work/aliases
    both aliases modprobe -C /dev/null -d "$tree" -S "$rel" -a -R
    check "modprobe -R of $(wc -l <"$names") aliases" same aliases "$(wc -l <"$names")"
    names=
    both json modprobe -C /dev/null -d "$tree" -S "$rel" -a -D --json vfat dm-mod
    check "modprobe -D --json" same json 1

    packed gz gzip -1
    packed xz xz -0
    packed zst zstd -q -1
    packed ko cat
    # All three decompressors.
    both packed modinfo "$work/packed"/*
    check "modinfo of packed files" same packed $((modules / 2))
    for file in "$work/packed"/*; do
        head -c $(($(wc -c <"$file") / 2)) "$file" >"$file.cut" && mv "$file.cut" "$file"
    done
    both cut modinfo "$work/packed"/*
    check "modinfo of half a file of each kind" same cut $((modules / 20))
done
echo "endian: $passed passed, $failed failed"
[ "$failed" = 0 ]
