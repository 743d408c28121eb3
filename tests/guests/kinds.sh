# Every kind of module file goes in, by modprobe with its dependencies and by insmod.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# needs: gzip xz zstd
# tree plain: vfat minix
# tree xz: vfat minix
# tree xz-crc64: vfat minix
# tree zst: vfat minix
# tree gz: vfat minix
# loader: nanomod

for kind in plain gz xz xz-crc64 zst; do
    tree=/trees/$kind
    expect 0 "modprobe from $kind" modprobe -d $tree vfat
    check "the $kind modules are live" loaded vfat fat
    expect 0 "insmod from $kind" insmod "$(file $tree minix)"
    check "nothing is printed" silent
    check "the $kind module is live" loaded minix
    unload vfat fat minix

    # The content decides, not the name.
    cp "$(file $tree minix)" anything
    expect 0 "insmod of $kind under another name" insmod ./anything
    unload minix
done
