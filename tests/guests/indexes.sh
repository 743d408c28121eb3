# Trees as other tools leave them: no binary indexes, empty or damaged ones, names
# that are older or newer than the files.
# kernels: uml 6.12 6.1-armmp
# tiers: full
# modules: 8021q minix
# tree plain: 8021q
# tree xz: 8021q
# loader: nanomod

# works WHAT TREE
works() {
    expect 0 "$1" modprobe -d "$2" 8021q
    check "prints nothing" not test -s out
    check "with its dependencies" loaded 8021q garp mrp stp llc
    unload 8021q garp mrp stp llc
    expect 0 "$1, an alias" modprobe -d "$2" rtnl-link-vlan
    check "the same" loaded 8021q llc
    unload 8021q garp mrp stp llc
    expect 0 "$1, a builtin" modprobe -d "$2" "$builtin"
    expect 1 "$1, a missing module" modprobe -d "$2" nosuch
}

# enter KIND: the indexes of a fresh copy of that tree
enter() {
    spoil "$1"
    cd "$tree$MODULES" || exit
}

builtin=$(sed -n '1s|.*/||; 1s|\.ko.*||p' "$MODULES/modules.builtin")

enter plain
rm ./*.bin
works "text only" "$tree"
expect 0 "text only, again" modprobe -d "$tree" 8021q
check "is silent" silent

enter plain
for index in *.bin; do : >"$index"; done
works "empty .bin files" "$tree"

enter plain
for index in *.bin; do
    dd if=/dev/urandom of="$index" bs=1 seek=4 count=200 conv=notrunc 2>/dev/null
    truncate -s 300 "$index"
done
works "damaged .bin files" "$tree"
expect 0 "damaged .bin files, again" modprobe -d "$tree" 8021q
check "names the file" says 'modules\.dep\.bin'

enter xz
find . -name '*.xz' -exec xz -d {} +
works "named x.ko.xz, is x.ko" "$tree"
rm ./*.bin
works "named x.ko.xz in text, is x.ko" "$tree"

enter xz
sed -i 's/\.ko\.xz/.ko/g' modules.dep
rm ./*.bin
works "named x.ko in text, is x.ko.xz" "$tree"
cp "/trees/plain$MODULES"/*.bin .
works "named x.ko, is x.ko.xz" "$tree"
