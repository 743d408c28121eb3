# What a tier without codecs does with compressed modules: those that the kernel undoes go in,
# and of others it is said why they can't.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# lacks: gzip xz zstd
# tree plain: 8021q
# tree xz: 8021q minix
# tree gz: minix
# tree zst: minix
# loader: nanomod

for kind in gz xz zst; do
    case $kind in
    gz) name=gzip ;;
    zst) name=zstd ;;
    *) name=$kind ;;
    esac
    if [ "$name" = "$(cat /sys/module/compression 2>/dev/null)" ]; then
        expect 0 "$kind, which the kernel undoes" modprobe -vv -d /trees/$kind minix
        check "it does" says "inserted 'minix' from .*: $name, finit_module \(kernel decompresses\)\$"
        check "it is there" loaded minix
        unload minix
        expect 0 "insmod" insmod "$(file /trees/$kind minix)"
        unload minix
        expect 0 "with what it needs" modprobe -d /trees/$kind 8021q
        check "all are there" loaded 8021q garp mrp stp llc
        expect 0 "and out again" modprobe -r -d /trees/$kind 8021q
        check "it is gone" absent 8021q garp mrp
    else
        for how in "modprobe -d /trees/$kind minix" "insmod $(file /trees/$kind minix)"; do
            # shellcheck disable=SC2086 # words
            expect 1 "$kind, ${how%% *}" $how
            check "says what it is" says "could not insert .*minix.*$name"
            check "nothing is loaded" absent minix
        done
    fi
done
