#!/bin/sh
# depmod.sh [--few] BINARY TREE [RELEASE]
#
# Lets nanomod's and kmod's depmod index a whole distribution kernel's modules
# (TREE/lib/modules/RELEASE, indexed by depmod), and compares what they make and say,
# byte for byte: as the tree comes, without modules.order, packed and unpacked, and
# without the checksums of symbols, which the tree's modules have; with --few no more
# than that, else also with places and rules of depmod.d, single files,
# checks of symbols, other numbers of threads, directories that were filled in another
# order, and -A. modules.symbols is compared sorted, as kmod writes it in the order of
# a hash table.
#
# Then both modprobes look up all there is in the indexes, in those of both. TREE
# stays as it is. Ends with status 1 on any difference.
set -eu
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

die() {
    echo "depmod: $*" >&2
    exit 2
}

few=
[ "${1:-}" != --few ] || { few=yes && shift; }
[ $# -ge 2 ] || die "usage: depmod.sh [--few] BINARY TREE [RELEASE]"
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
for tool in depmod modprobe modinfo readelf zstd xz gzip; do
    command -v "$tool" >/dev/null || die "$tool is needed"
done

work=$(mktemp -d)
fast=
trap 'rm -rf "$work" ${fast:+"$fast"}' EXIT
trap 'exit 2' INT TERM
differences=0
variants=0
namespaces=0

differ() { # differ WHAT
    differences=$((differences + 1))
    echo "$what: $1"
}

count() { wc -l <"$1" | tr -d ' '; }

# copy FROM TO: a tree whose modules are links to the first's, with no indexes.
# Nothing writes into these: what is packed or changed gets a new file.
copy() {
    mkdir -p "$2/$below"
    cp -al "$1/$below" "$2/lib/modules/" 2>/dev/null || {
        rm -rf "${2:?}/$below"
        cp -a "$1/$below" "$2/lib/modules/"
    }
    sweep "$2/$below" rm -f
}

# sweep DIRECTORY COMMAND... [to OTHER]: does it with all that depmod makes there
sweep() {
    swept=$1
    shift
    for made in "$swept"/modules.*; do
        case ${made##*/} in
        modules.order | modules.builtin | modules.builtin.modinfo | 'modules.*') ;;
        *) "$@" "$made" ;;
        esac
    done
}

# pack COMMAND...: all plain modules of $tree
pack() {
    find "$tree" -name '*.ko' -print0 | xargs -0 -P "$(nproc)" -n 100 "$@"
}

unpack() {
    find "$tree" -name '*.ko.xz' -print0 | xargs -0 -r -P "$(nproc)" -n 100 xz -d -f
    find "$tree" -name '*.ko.zst' -print0 | xargs -0 -r -P "$(nproc)" -n 100 zstd -d -q -f --rm
    find "$tree" -name '*.ko.gz' -print0 | xargs -0 -r -P "$(nproc)" -n 100 gzip -d -f
}

# kmod ARGUMENT...: its indexes of $tree are moved to $work/kmod
kmod() {
    rm -rf "$work/kmod"
    mkdir "$work/kmod"
    sweep "$tree/$below" rm -f
    status=0
    depmod -b "$tree" "$release" "$@" >"$work/kmod.out" 2>"$work/kmod.err" || status=$?
    echo "status $status" >>"$work/kmod.err"
    sweep "$tree/$below" mv -t "$work/kmod"
}

# nanomod ARGUMENT...: its indexes of $tree go to $work/nanomod
nanomod() {
    rm -rf "$work/nanomod" "$work/out"
    status=0
    "$binary" depmod -b "$tree" -o "$work/out" "$release" "$@" \
        >"$work/nanomod.out" 2>"$work/nanomod.err" || status=$?
    echo "status $status" >>"$work/nanomod.err"
    mkdir -p "$work/out/$below"
    mv "$work/out/$below" "$work/nanomod"
}

# compare WHAT: what the two made and said
compare() {
    what=$1
    variants=$((variants + 1))
    for stream in out err; do
        cmp -s "$work/kmod.$stream" "$work/nanomod.$stream" || {
            differ "another std$stream"
            diff "$work/kmod.$stream" "$work/nanomod.$stream" | head -n 6
        }
    done
    files=$(cd "$work/nanomod" && ls -A)
    # kmod before 33 knows no weak dependencies.
    [ -e "$work/kmod/modules.weakdep" ] ||
        files=$(echo "$files" | sed '/^modules\.weakdep$/d')
    [ "$files" = "$(cd "$work/kmod" && ls -A)" ] || differ "other files: $files"
    leave_namespaces
    for file in $files; do
        [ -e "$work/kmod/$file" ] || continue
        if [ "$file" = modules.symbols ]; then
            sort "$work/kmod/$file" >"$work/sorted"
            sort "$work/nanomod/$file" | cmp -s - "$work/sorted" || differ "another $file"
        elif ! cmp -s "$work/kmod/$file" "$work/nanomod/$file"; then
            differ "another $file"
            case $file in
            *.bin) cmp "$work/kmod/$file" "$work/nanomod/$file" || : ;;
            *) diff "$work/kmod/$file" "$work/nanomod/$file" | head -n 6 ;;
            esac
        fi
    done
}

# Where symbols have no checksums, kmod takes the namespaces that modules name for symbols,
# too. Where that is all, it gets the index without them.
leave_namespaces() {
    [ -e "$work/kmod/modules.symbols" ] && [ -e "$work/nanomod/modules.symbols" ] || return 0
    head -n 1 "$work/files" | xargs modinfo -F vermagic >"$work/vermagic"
    ! grep -q modversions "$work/vermagic" || return 0
    sort "$work/kmod/modules.symbols" >"$work/sorted"
    sort "$work/nanomod/modules.symbols" >"$work/own"
    comm -23 "$work/sorted" "$work/own" >"$work/more"
    [ -s "$work/more" ] || return 0
    while read -r _ name module; do
        if defines "$module" "${name#symbol:}"; then
            differ "no $name of $module"
            return
        fi
    done <"$work/more"
    cp "$work/nanomod/modules.symbols" "$work/nanomod/modules.symbols.bin" "$work/kmod"
    [ "$namespaces" -gt 0 ] || namespaces=$(count "$work/more")
}

# defines MODULE SYMBOL: by its file's own table
defines() {
    file=$tree/$below/$(sed -n "s/^\(.*\/\)\{0,1\}\($(echo "$1" | sed 's/_/[_-]/g')\.ko[^:]*\):.*/\1\2/p" \
        "$work/nanomod/modules.dep" | head -n 1)
    case $file in
    *.xz) xz -dc "$file" ;;
    *.zst) zstd -dcq "$file" ;;
    *.gz) gzip -dc "$file" ;;
    *) cat "$file" ;;
    esac >"$work/module"
    readelf -sW "$work/module" >"$work/table" || return 0
    awk -v name="$2" '$NF == name && $(NF - 1) != "UND" { found = 1 } END { exit !found }' "$work/table"
}

# variant WHAT ARGUMENT...: both index $tree, with these arguments behind the release
variant() {
    title=$1
    shift
    kmod "$@"
    nanomod "$@"
    compare "$title"
}

# all_of FILE: how many modules are in that modules.dep, which must not be few
all_of() {
    [ "$(count "$1")" = "$modules" ] || differ "$(count "$1") modules, not $modules"
}

# nth N...: the files of these modules, by their number in the index
nth() {
    for number in "$@"; do
        sed -n "$number{s/:.*//;p;}" "$work/base/modules.dep"
    done
}

# link_to DIRECTORY N...: these modules also in that directory
link_to() {
    mkdir -p "$1"
    directory=$1
    shift
    nth "$@" | while read -r file; do cp -al "$tree/$below/$file" "$directory/"; done
}

state() {
    find "$origin/$below" -printf '%p %i %s %T@\n' | sort
}
state >"$work/before"

# --- the tree as it comes

tree=$work/tree
copy "$origin" "$tree"
find "$tree" -name '*.ko' >"$work/plain"
find "$tree" -name '*.ko' -o -name '*.ko.*' >"$work/files"
modules=$(count "$work/files")
[ "$modules" -gt 0 ] || die "no modules in $origin/$below"

variant "as it comes"
all_of "$work/nanomod/modules.dep"
cp -a "$work/kmod" "$work/base"
cp -a "$work/nanomod" "$work/other"

what="weak dependencies"
cut -d: -f1 "$work/base/modules.dep" | (cd "$tree/$below" && xargs modinfo -F weakdep) \
    >"$work/weakdeps"
sed '1d; s/^weakdep [^ ]* //' "$work/other/modules.weakdep" |
    cmp -s - "$work/weakdeps" || differ "others than modinfo shows"

# --- lookups

what="lookups"
lookups=0
mkdir "$work/config"
awk -f "$(dirname "$0")/softdeps.awk" "$work/base/modules.softdep" \
    >"$work/config/00-softdeps.conf"
sed 's/:.*//; s/.*\///; s/\.ko.*$//' "$work/base/modules.dep" >"$work/names"
sed -n 's/^alias \(.*\) [^ ]*$/\1/p' "$work/base/modules.symbols" >"$work/symbols"
{
    sed -n 's/^alias \(.*\) [^ ]*$/\1/p' "$work/base/modules.alias"
    tr '\0' '\n' <"$tree/$below/modules.builtin.modinfo" | sed -n 's/^[^.]*\.alias=//p'
} >"$work/patterns"
lists="names devices symbols builtins others"
# What a device could show: two characters for each `*`, or none.
sed 's/\*/01/g; s/?/x/g; s/\[\(.\)[^]]*\]/\1/g' "$work/patterns" >"$work/devices"
if [ "$few" != yes ]; then
    sed 's/\*//g; s/?/-/g; s/\[[^]]*\(.\)\]/\1/g' "$work/patterns" >"$work/bare"
    lists="$lists bare patterns"
fi
sed 's/.*\///; s/\.ko$//' "$tree/$below/modules.builtin" >"$work/builtins"
# What is not there, or only nearly.
{
    sed -n '1~20s/$/x/p' "$work/names"
    sed -n '1~50s/.$//p' "$work/symbols"
    sed -n '1~50s/^./x/p' "$work/devices"
} >"$work/others"

ln -s "$binary" "$work/modprobe"

# answers MODPROBE: all that it finds in the indexes that $tree has. As kmod writes
# through a buffer, its errors are kept apart.
answers() {
    for list in $lists; do
        echo "--- -R, $list"
        ask "$1" -a -R <"$work/$list"
    done
    echo "--- -D"
    ask "$1" -a -D <"$work/names"
    echo "--- -c"
    echo | ask "$1" -c
}

ask() { # ask MODPROBE OPTION...
    asked=$1
    shift
    xargs -r -d '\n' "$asked" -C "$work/config" -d "$tree" -S "$release" "$@" ||
        echo "status $?"
}

for index in base other; do
    cp -a "$work/$index/." "$tree/$below/"
    for peer in kmod nanomod; do
        program=modprobe
        [ "$peer" = kmod ] || program=$work/modprobe
        to=$work/$index.$peer
        answers "$program" >"$to" 2>"$to.err" && cat "$to.err" >>"$to" &
    done
    wait
    sweep "$tree/$below" rm -f
done
for answer in base.nanomod other.kmod other.nanomod; do
    cmp -s "$work/base.kmod" "$work/$answer" && continue
    differ "not what kmod finds in its own: $answer"
    diff "$work/base.kmod" "$work/$answer" | head -n 6
done
grep -q "^--- -c" "$work/base.kmod" || differ "no answers"
lookups=$(for list in $lists names; do cat "$work/$list"; done | wc -l)

# --- without the order, packed otherwise

mv "$tree/$below/modules.order" "$work/order"
variant "no modules.order"
all_of "$work/nanomod/modules.dep"
mv "$work/order" "$tree/$below/modules.order"

# as_packed SUFFIX COMMAND...: all modules of $plain are packed by it
as_packed() {
    suffix=$1
    shift
    tree=$work/$suffix
    copy "$plain" "$tree"
    pack "$@"
    [ -z "$(find "$tree" -name '*.ko' -print -quit)" ] || die "$1 does not pack"
}

plain=$work/tree
if [ ! -s "$work/plain" ]; then
    tree=$work/unpacked
    copy "$origin" "$tree"
    unpack
    variant "unpacked"
    all_of "$work/nanomod/modules.dep"
    plain=$tree
fi

# --- as of a kernel whose symbols have no checksums: kmod takes namespaces for symbols

tree=$work/unversioned
copy "$plain" "$tree"
nanomod
mv "$work/nanomod" "$work/versioned"
find "$tree" -name '*.ko' -print0 |
    xargs -0 -P "$(nproc)" -n 100 sed -i 's/__crc_/__xrc_/g'
kmod
nanomod
what="no checksums"
variants=$((variants + 1))
diff -rq "$work/versioned" "$work/nanomod" || differ "other symbols than with checksums"
for file in kmod nanomod; do
    sort -o "$work/$file.symbols" "$work/$file/modules.symbols"
    rm "$work/$file/modules.symbols" "$work/$file/modules.symbols.bin"
done
comm -13 "$work/kmod.symbols" "$work/nanomod.symbols" >"$work/own"
[ ! -s "$work/own" ] || differ "symbols that kmod does not know"
compare "no checksums, all but the symbols"
rm -rf "$tree"

if [ "$few" != yes ] || [ "$plain" = "$work/tree" ]; then
    as_packed zst zstd -q -1 --rm
    variant "packed by zstd"
    all_of "$work/nanomod/modules.dep"
    rm -rf "$tree"
fi
if [ "$few" != yes ]; then
    as_packed xz xz -0 -f
    variant "packed by xz"
    all_of "$work/nanomod/modules.dep"
    rm -rf "$tree"

    # Debian's kmod reads no gzip. But the names of the files have the same length.
    as_packed gz gzip -1 -f
    nanomod
    sed -i 's/\.ko\.xz/.ko.gz/g' "$work/kmod/modules.dep" "$work/kmod/modules.dep.bin"
    compare "packed by gzip"
    all_of "$work/nanomod/modules.dep"
    rm -rf "$tree"

    # --- what is asked

    tree=$work/tree
    # shellcheck disable=SC2046 # one file a word
    variant "one file" $(nth 1000 | sed "s|^|$tree/$below/|")
    # shellcheck disable=SC2046 # one file a word
    variant "some files" $(nth 7 70 700 1500 | sed "s|^|$tree/$below/|")
    variant "-w" -w
    variant "-v" -v
    grep -q needs "$work/nanomod.out" || differ "needs are not told"

    depmod -b "$tree" -n -e -F /dev/null "$release" 2>&1 >"$work/shown" |
        sed -n 's/.* needs unknown symbol //p' | sort -u >"$work/wanted"
    sweep "$tree/$below" rm -f
    [ "$(count "$work/wanted")" -gt 1000 ] || die "the kernel's own symbols are not known"
    awk 'NR % 300 { print "ffffffff81000000 r __ksymtab_" $0
                    print "00000000deadbeef A __crc_" $0
                    print "ffffffff81000000 T " $0 }' "$work/wanted" >"$work/System.map"
    variant "-e -F" -e -F "$work/System.map"
    grep -q "needs unknown symbol" "$work/nanomod.err" || differ "nothing is missed"
    nth 1 101 201 301 401 501 601 701 | while read -r file; do
        modprobe --show-modversions "$tree/$below/$file"
    done | awk -v OFS='\t' '
        FNR == NR { crc[$2] = $1; next }
        NR % 300 { print $1 in crc ? crc[$1] : "0x12345678", $1, "vmlinux", "EXPORT_SYMBOL" }
        ' - "$work/wanted" >"$work/Module.symvers"
    variant "-e -E" -e -E "$work/Module.symvers"
    grep -q "disagrees about version" "$work/nanomod.err" || differ "no type is another"

    what="-n"
    variants=$((variants + 1))
    depmod -b "$tree" -n "$release" >"$work/kmod.out"
    "$binary" depmod -b "$tree" -n "$release" >"$work/nanomod.out"
    for peer in kmod nanomod; do
        grep -v "^alias symbol:\|^# Weak" "$work/$peer.out" >"$work/$peer.rest"
        grep "^alias symbol:" "$work/$peer.out" | sort >"$work/$peer.symbols"
    done
    cmp -s "$work/kmod.rest" "$work/nanomod.rest" || differ "another text"
    cmp -s "$work/kmod.symbols" "$work/nanomod.symbols" || differ "other symbols"
    [ -s "$work/kmod.symbols" ] || differ "no symbols"
    sweep "$tree/$below" differ "written"

    # --- who does it, and in which order

    # same WHAT: nanomod's indexes in $tree are those of the tree as it came
    same() {
        what=$1
        variants=$((variants + 1))
        rm -rf "$work/nanomod"
        mkdir "$work/nanomod"
        sweep "$tree/$below" mv -t "$work/nanomod"
        diff -rq "$work/other" "$work/nanomod" || differ "other indexes"
    }
    for jobs in 1 2 5 64; do
        "$binary" depmod -b "$tree" -j "$jobs" "$release" || differ "-j $jobs fails"
        same "-j $jobs"
    done

    # A directory in memory has its files in the order in which they were made.
    [ ! -d /dev/shm ] || fast=$(mktemp -d /dev/shm/depmod.XXXXXX) || fast=
    tree=${fast:-$work}/links$work/tree
    mkdir "${fast:-$work}/links"
    find "$work/tree" -type f | shuf |
        xargs -d '\n' cp -s --parents -t "${fast:-$work}/links"
    variant "links in another order"
    cp "$work/nanomod"/* "$tree/$below/"
    same "links in another order, beside files"
    rm -rf "$tree"

    # --- places of depmod.d. Of two with one rank kmod takes any.

    cat >"$work/depmod.conf" <<END
# A comment, and a line that goes \\
on
search  extra external
search updates built-in
override $(nth 400 | sed 's|.*/||; s|\.ko.*||') * weak
override $(nth 500 | sed 's|.*/||; s|\.ko.*||') ^${release%%.*}[.] weak/deep
override $(nth 600 | sed 's|.*/||; s|\.ko.*||') ^5[.]99 weak
external ^${release%%.*}[.] $work/external
external ^5[.]99 $work/other
exclude skipped also.ko
include other
make_map_files no
badly put
END
    tree=$work/places
    copy "$work/tree" "$tree"
    link_to "$tree/$below/updates" 100 200 300 400
    link_to "$tree/$below/updates/deep/er" 150 250
    variant "updates"
    [ "$(grep -c '^updates/' "$work/nanomod/modules.dep")" = 6 ] || differ "updates don't count"
    link_to "$tree/$below/extra" 200 300 400 500 600
    link_to "$tree/$below/weak" 400 600
    link_to "$tree/$below/weak/deep" 500
    link_to "$tree/$below/skipped" 700
    cp -al "$tree/$below/$(nth 700)" "$tree/$below/extra/also.ko"
    link_to "$work/external" 200 800 900
    link_to "$work/external/deep" 1000
    variant "search, override, external, exclude" -C "$work/depmod.conf"
    for place in extra updates weak weak/deep "$work/external" "$work/external/deep"; do
        grep -q "^$place/[^/]*:" "$work/nanomod/modules.dep" || differ "none in $place"
    done
    ! grep -q "^skipped\|also" "$work/nanomod/modules.dep" || differ "not skipped"
    places="external weak extra updates skipped"
    for search in "built-in $places" "$places built-in" "$places"; do
        sed "/^search built-in/d; /^exclude/d; /^override/d; s/^search .*/search $search/" \
            "$work/depmod.conf" >"$work/other.conf"
        variant "search $search" -C "$work/other.conf"
    done
    rm -rf "$tree" "$work/external"

    # --- -A

    # quick yes|no COMMAND...: whether it writes
    quick() {
        expected=$1
        shift
        written=yes
        old=$(ls -i "$tree/$below/modules.dep")
        "$@" -b "$tree" -A "$release" || differ "$1 fails"
        [ "$(ls -i "$tree/$below/modules.dep")" != "$old" ] || written=no
        [ "$written" = "$expected" ] || differ "$1 writes: $written"
    }
    what="-A"
    tree=$work/tree
    variants=$((variants + 1))
    "$binary" depmod -b "$tree" -A "$release" || differ "fails where there are no indexes"
    quick no "$binary" depmod
    quick no depmod
    file=$tree/$below/$(nth 1)
    cp "$file" "$work/new"
    touch -d "+2 seconds" "$work/new"
    mv "$work/new" "$file"
    quick yes "$binary" depmod
    touch -d "+4 seconds" "$file"
    quick yes depmod
    touch -d "+6 seconds" "$file"
    "$binary" depmod -b "$tree" -A "$release" || differ "fails after kmod"
    same "-A with a new module"
fi

what=$origin
state | cmp - "$work/before" || differ "not as it was"
[ "$namespaces" = 0 ] || echo "without $namespaces entries of kmod's for namespaces"
echo "depmod: $modules modules, $lookups lookups, $variants variants, $differences differences"
[ "$differences" = 0 ]
