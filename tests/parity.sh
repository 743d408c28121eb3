#!/bin/sh
# parity.sh BINARY TREE [RELEASE]
#
# Asks nanomod and kmod the same of a whole distribution kernel's module tree
# (TREE/lib/modules/RELEASE, indexed by depmod): `modprobe -D` for every module,
# `-D` and `-R` for 300 modaliases drawn evenly from modules.alias. What they
# print, both streams, and their status must be the same, byte for byte.
#
# The machine's own modprobe.d is left out (-C), so that two machines ask the
# same. PARITY_MODPROBE names another reference than the modprobe in PATH,
# PARITY_ALIASES another number. Ends with status 1 on any difference.
set -eu
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

die() {
    echo "parity: $*" >&2
    exit 2
}

[ $# -ge 2 ] || die "usage: parity.sh BINARY TREE [RELEASE]"
binary=$(realpath "$1") || die "no binary $1"
tree=$(realpath "$2") || die "no tree $2"
[ -x "$binary" ] || die "$binary cannot be run"
if [ $# -ge 3 ]; then
    release=$3
else
    release=$(ls "$tree/lib/modules")
    case $release in *[!A-Za-z0-9.+_-]*) die "which of these releases: $release" ;; esac
fi
modules=$tree/lib/modules/$release
for file in modules.dep.bin modules.alias.bin modules.symbols.bin modules.builtin.bin; do
    [ -s "$modules/$file" ] || die "$modules/$file is missing: run depmod -b $tree $release"
done
reference=${PARITY_MODPROBE:-$(command -v modprobe)} || die "kmod's modprobe is needed"
wanted=${PARITY_ALIASES:-300}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM
mkdir "$work/config"

awk -f "$(dirname "$0")/softdeps.awk" "$modules/modules.softdep" \
    >"$work/config/00-softdeps.conf"

ask() { # ask kmod|nanomod ARGUMENT…
    peer=$1
    shift
    case $peer in
    kmod) "$reference" -C "$work/config" -d "$tree" -S "$release" "$@" ;;
    *) "$binary" modprobe -C "$work/config" -d "$tree" -S "$release" "$@" ;;
    esac
}

# Each `*` of a pattern becomes what a device would show there: as many
# hexadecimal digits as the bus writes for that field; `[…]` its first member.
modaliases() {
    grep '^alias ' "$modules/modules.alias" | awk -v wanted="$wanted" '
    function digits(count,    text) {
        text = ""
        while (length(text) < count)
            text = text substr("0123456789ABCDEF", 1 + (chosen + 7 * length(text)) % 16, 1)
        return text
    }
    function width(bus, field) {
        if (bus == "pci") return field ~ /^(v|d|sv|sd)$/ ? 8 : 2
        if (bus == "usb") return field ~ /^(v|p|d)$/ ? 4 : 2
        return 3
    }
    function filled(pattern,    bus, out, field, c, end) {
        bus = pattern
        sub(/:.*/, "", bus)
        out = field = ""
        while (pattern != "") {
            c = substr(pattern, 1, 1)
            pattern = substr(pattern, 2)
            if (c == "*") c = digits(width(bus, field))
            else if (c == "?") c = "x"
            else if (c == "[") {
                end = index(pattern, "]")
                c = substr(pattern, 1, 1)
                pattern = substr(pattern, end + 1)
            }
            field = c ~ /^[a-z]$/ ? field c : ""
            out = out c
        }
        return out
    }
    { line[NR] = $0 }
    END {
        if (wanted > NR) wanted = NR
        for (i = 0; i < wanted; i++) {
            chosen = 1 + int(i * NR / wanted)
            pattern = line[chosen]
            sub(/^alias /, "", pattern)
            sub(/ [^ ]*$/, "", pattern)
            print filled(pattern)
        }
    }'
}

# Answers to the questions in FILE, one "OPTION NAME" a line, as two logs.
answers() { # answers PEER FILE
    while read -r option name; do
        printf '\001%s %s\n' "$option" "$name"
        printf '\001%s %s\n' "$option" "$name" >&2
        status=0
        ask "$1" "$option" "$name" || status=$?
        echo "status $status"
    done <"$2" >"$2.$1.out" 2>"$2.$1.err"
}

# Prints the questions whose answers differ.
differing() { # differing LOG LOG
    awk -v RS='\001' -v FS='\n' '
        FNR == NR { first[FNR] = $0; next }
        first[FNR] != $0 { print $1 }' "$1" "$2"
}

sed 's/:.*//; s/.*\///; s/\.ko.*$//; s/^/-D /' "$modules/modules.dep" >"$work/names"
modaliases >"$work/aliases"
{
    cat "$work/names"
    sed 's/^/-D /' "$work/aliases"
    sed 's/^/-R /' "$work/aliases"
} >"$work/questions"

# One share of the questions for each processor.
shares=$(nproc)
awk -v shares="$shares" -v to="$work/share" '{ print > (to NR % shares) }' "$work/questions"
for share in "$work"/share*; do
    (
        answers kmod "$share"
        answers nanomod "$share"
    ) &
done
wait

for share in "$work"/share*[0-9]; do
    for stream in out err; do
        cmp -s "$share.kmod.$stream" "$share.nanomod.$stream" ||
            differing "$share.kmod.$stream" "$share.nanomod.$stream"
    done
done | sort -u >"$work/differences"

shown=0
while read -r option name && [ "$shown" -lt 5 ]; do
    shown=$((shown + 1))
    for peer in kmod nanomod; do
        {
            status=0
            ask "$peer" "$option" "$name" 2>"$work/$peer.err" || status=$?
            echo "status $status"
            sed 's/^/stderr: /' "$work/$peer.err"
        } >"$work/$peer"
    done
    echo "modprobe $option $name"
    diff -u --label kmod --label nanomod "$work/kmod" "$work/nanomod" || :
done <"$work/differences"

count() { wc -l <"$1" | tr -d ' '; }
differences=$(count "$work/differences")
echo "parity: $(count "$work/names") modules, $(count "$work/aliases") modaliases, $differences differences"
[ "$differences" -eq 0 ]
