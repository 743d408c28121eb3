# Old kernels: one of 3.8, which had no file in memory yet, and one before that, which had no
# finit_module. All system calls that came later are not there.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# tree plain: minix vfat overlay 8021q mac-roman nls_cp437
# tree gz: minix
# tree xz: minix
# tree zst: minix
# tools: as-of
# loader: nanomod

old() {
    applet=$1
    shift
    as-of "$age" "/sbin/$applet" "$@"
}

for age in 3.7 3.8; do
    call=init_module
    [ $age = 3.7 ] || call=finit_module
    expect 0 "$age: insmod" old insmod -vv "$(file /trees/plain minix)"
    check "$age: by $call" says "inserted 'minix' from .*: plain, $call\$"
    check "$age: it is there" loaded minix
    expect 1 "$age: once more" old insmod "$(file /trees/plain minix)"
    check "$age: says so" says 'File exists'
    expect 0 "$age: rmmod" old rmmod minix
    check "$age: it is gone" absent minix

    expect 0 "$age: modprobe" old modprobe -vv -d /trees/plain vfat
    check "$age: with what it needs, by $call" says "inserted 'fat' from .*: plain, $call\$"
    check "$age: both are there" loaded vfat fat
    expect 0 "$age: lsmod" old lsmod
    check "$age: lists them" prints '^fat +[0-9]+  1 vfat$'
    expect 0 "$age: modprobe -r" old modprobe -r -d /trees/plain vfat
    check "$age: both are gone" absent vfat fat
    expect 0 "$age: parameters" old modprobe -d /trees/plain overlay index=1 redirect_max=77
    check "$age: a boolean" parameter overlay index Y
    check "$age: a number" parameter overlay redirect_max 77
    unload overlay
    expect 1 "$age: a bad value" old modprobe -d /trees/plain overlay index=bad
    check "$age: is refused, in the kernel's words" says "Invalid argument.*invalid for parameter .index"
    expect 1 "$age: a missing dependency" old insmod "$(file /trees/plain vfat)"
    check "$age: is told" says "Unknown symbol in module"

    for kind in gz xz zst; do
        case $kind in
        gz) name=gzip ;;
        zst) name=zstd ;;
        *) name=$kind ;;
        esac
        if has $name; then
            expect 0 "$age: from $kind" old modprobe -vv -d /trees/$kind minix
            # A kernel of 3.8 takes no compressed file; the one that plays it may.
            check "$age: $kind, by way of memory" says \
                "inserted 'minix' from .*: $name, (kernel could not .*; )?(init_module|finit_module \(kernel decompresses\))\$"
            check "$age: it is there" loaded minix
            unload minix
        fi
    done

    expect 0 "$age: with workers" old modprobe -d /trees/plain -a -j 4 8021q mac-roman nls_cp437
    check "$age: all are there" loaded 8021q garp mrp stp llc mac_roman nls_cp437
    unload 8021q garp mrp stp llc mac_roman nls_cp437
    expect 0 "$age: coldplug" old nanomod coldplug -d /trees/plain --settle=50 8021q mac-roman
    check "$age: all are there" loaded 8021q garp mrp stp llc mac_roman
    unload 8021q garp mrp stp llc mac_roman
    old modprobe -d /trees/plain 8021q <&- >&- 2>&-
    check "$age: all closed" test $? = 0
    check "$age: all are there" loaded 8021q llc
    unload 8021q garp mrp stp llc
done

age=3.7
expect 1 "force without finit_module" old modprobe -f -d /trees/plain minix
check "says what it needs" says 'force needs finit_module'
