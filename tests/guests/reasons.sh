# Why the kernel refused, as far as it, the file and the indexes say.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: overlay vfat
# tree plain: minix
# loader: nanomod

# word OFFSET BYTES FILE: overwrites
word() {
    printf "$2" | dd of="$3" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

# where TEXT FILE: the offset of the first occurrence
where() {
    strings -o -t d "$2" 2>/dev/null | sed -n "s/^ *\([0-9]*\) $1.*/\1/p" | head -n 1
}

# As an expression: a release may have a plus sign.
release=$(echo "$REL" | tr + .)

# The module without its signature, which would be the first thing to fail.
unsigned() {
    size=$(wc -c <"$1")
    if tail -c 28 "$1" | grep -q 'Module signature appended'; then
        length=$(tail -c 32 "$1" | head -c 4 | od -An -tu1 | awk '{ print $1 * 16777216 + $2 * 65536 + $3 * 256 + $4 }')
        size=$((size - 40 - length))
    fi
    head -c "$size" "$1"
}

expect 1 "a missing dependency" insmod "$(file / vfat)"
check "names the module that has the symbols" says "module 'fat' has fat_"
# What a file says is known where somebody can read it.
readable() {
    [ "${1%.ko}" != "$1" ] || has xz
}

expect 1 "a bad value" modprobe overlay index=bad
! readable "$(file / overlay)" ||
    check "names the parameters and their types" says 'parameters: .*index \(bool\)'

expect 1 "a value out of range" modprobe overlay redirect_max=99999999
! readable "$(file / overlay)" ||
    check "names them, too" says 'out of range \(parameters: .*redirect_max \(ushort\)'

spoil plain
unsigned "$(file "$tree" minix)" >minix.ko
cp minix.ko other.ko
bits=64 word=8
# The kernel's checksums of symbols are as long as a word.
[ "$(od -An -tu1 -j 4 -N 1 minix.ko)" -eq 2 ] || bits=32 word=4
other=aarch64 number='\267\000'
[ "$(uname -m)" != aarch64 ] || other=x86_64 number='\076\000'
word 18 $number other.ko
expect 1 "another machine's module" insmod ./other.ko
check "names both" says "file: for $other \($bits-bit\), not for $(uname -m)"

cp minix.ko other.ko
# With versions of symbols, the release does not count, but what follows it does.
at=$(where vermagic= other.ko)
word $((at + 9)) '9' other.ko
word $((at + 9 + ${#REL} + 1)) 'XX' other.ko
expect 1 "another kernel's module" insmod ./other.ko
check "names both" says "for kernel 9[^ ]*, not for $release"
check "with all that is to be the same" says "minix: version magic '9[^']*' should be '$release"

head -c 2000 minix.ko >other.ko
expect 1 "a piece of a module" insmod ./other.ko
check "says so" says "Invalid module format \(file: section table at offset"

if tail -c 28 "$(file "$tree" minix)" | grep -q 'Module signature appended'; then
    module=$(file "$tree" minix)
    word 3000 '\377\377' "$module"
    expect 1 "a broken signature" insmod "$module"
    check "names the signer and the key" says "file: signed by '.+', key [0-9A-F]{2}:"

    cp minix.ko other.ko
    at=$(where module_layout other.ko)
    word $((at - word)) '\001\002\003\004' other.ko
    expect 1 "another version of a symbol" insmod ./other.ko
    check "names it" says "file: built against module_layout 0x04030201"

    modprobe vfat
    cp minix.ko other.ko
    at=$(where __brelse other.ko)
    word $((at - word)) '\001\002\003\004' other.ko
    expect 1 "another version of any symbol" insmod ./other.ko
    ! readable "$(file / vfat)" || check "names it, and the kernel's" says "built against __brelse 0x04030201 \(0x[0-9a-f]{8} in 'v?fat', which is loaded\)"
fi
check "nothing of it is inserted" absent minix
