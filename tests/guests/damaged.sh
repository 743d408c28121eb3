# A file cut short or with a flipped bit, of each kind: status 1, a message, nothing
# loaded, and the guest lives on.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# tree plain: minix vfat
# tree xz: minix vfat
# tree zst: minix vfat
# tree gz: minix vfat

# flip FILE OFFSET
flip() {
    byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\$(printf %o $((byte ^ 16)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

refused() {
    expect 1 "insmod of $1" insmod "$2"
    check "has a message" test -s err
    check "nothing is loaded" absent "$3"
    expect 1 "modprobe of $1" modprobe -d "$tree" "$3"
    check "has a message" test -s err
    check "nothing is loaded" absent "$3"
}

for kind in plain gz xz zst; do
    spoil $kind
    cut=$(file "$tree" minix)
    size=$(wc -c <"$cut")
    for keep in $((size / 2)) 100 5 0; do
        cp "$cut" whole
        head -c $keep whole >"$cut"
        refused "$kind cut to $keep of $size bytes" "$cut" minix
        cp whole "$cut"
    done

    flipped=$(file "$tree" fat)
    case $kind in
    # No checksum in a plain file: its section table is moved out of the file.
    plain) flip "$flipped" 44 ;;
    *) flip "$flipped" $(($(wc -c <"$flipped") / 2)) ;;
    esac
    refused "$kind with a flipped bit" "$flipped" fat
    expect 1 "modprobe of what needs the flipped $kind" modprobe -d "$tree" vfat
    check "has a message" test -s err
    check "nothing is loaded" absent vfat fat
done
