#!/bin/sh
# modinfo.sh BINARY TREE [RELEASE]
#
# Asks nanomod's and kmod's modinfo the same about every module of a distribution
# kernel's tree (TREE/lib/modules/RELEASE, indexed by depmod), about its builtins and
# about single fields: what they print must be the same, byte for byte. Ends with
# status 1 on any difference.
set -eu
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
[ $# -ge 2 ] || { echo "usage: modinfo.sh BINARY TREE [RELEASE]" >&2 && exit 2; }
binary=$(realpath "$1")
tree=$(realpath "$2")
release=${3:-$(ls "$tree/lib/modules")}
modules=$tree/lib/modules/$release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
differences=0

# compare WHAT ARGUMENT...: one call of each, about all the names in $work/names
compare() {
    what=$1
    shift
    xargs modinfo -b "$tree" -k "$release" "$@" <"$work/names" >"$work/kmod" 2>"$work/kmod.err" || true
    xargs "$binary" modinfo -b "$tree" -k "$release" "$@" <"$work/names" >"$work/nanomod" 2>"$work/nanomod.err" || true
    # Debian's kmod does not know it yet.
    sed -i -z '/^build-id=/d' "$work/nanomod"
    sed -i "/^build-id: /d; ${cut:-}" "$work/nanomod"
    [ -z "${cut:-}" ] || sed -i "$cut" "$work/kmod"
    for stream in "" .err; do
        cmp -s "$work/kmod$stream" "$work/nanomod$stream" && continue
        differences=$((differences + 1))
        echo "$what differs$stream:"
        diff "$work/kmod$stream" "$work/nanomod$stream" | head -n 10
    done
}

sed 's/:.*//; s/.*\///; s/\.ko.*//' "$modules/modules.dep" >"$work/names"
count=$(wc -l <"$work/names")
compare "all of a module"
compare "with NULs" -0
compare "parameters" -p
compare "a field" -F alias
compare "the file" -n
xargs "$binary" modinfo -b "$tree" -k "$release" -F build-id <"$work/names" >"$work/builds"
if [ "$(sort "$work/builds" | grep -c -x '\([0-9A-F][0-9A-F]:\)\{19\}[0-9A-F][0-9A-F]')" != "$count" ] ||
    [ "$(sort -u "$work/builds" | wc -l)" -le $((count / 2)) ]; then
    differences=$((differences + 1))
    echo "not each module has a build-id"
fi
sed 's/.*\///; s/\.ko$//' "$modules/modules.builtin" >"$work/names"
# Since Linux 6.18 aliases stand behind the rest, where Debian's kmod does not see them.
cut=
if tr '\0' '\n' <"$modules/modules.builtin.modinfo" |
    awk -F . '$1 != name { found += again && alone; name = $1; again = seen[name]++; alone = 1 }
        $2 !~ /^alias=/ { alone = 0 } END { exit !(found || again && alone) }'; then
    tr '\0' '\n' <"$modules/modules.builtin.modinfo" | sed -n 's/^\([^.]*\)\.alias=/\1 /p' |
        awk 'NR == FNR { gsub("-", "_"); names[$1]; next } $1 in names { sub("^[^ ]* ", ""); print }' \
            "$work/names" - | sort -u >"$work/all"
    xargs "$binary" modinfo -b "$tree" -k "$release" -m -F alias <"$work/names" | sort -u |
        cmp - "$work/all" || differences=$((differences + 1))
    cut="/^alias:/d"
fi
compare "a builtin"
echo "modinfo: $count modules, $(wc -l <"$work/names") builtins, $differences differences"
[ $differences = 0 ]
