# Less and less memory, from 24 MiB down: what is left is taken by a file in memory. Everything
# works while there are 8; below that, what does not work says so, and nothing hangs. With
# memory again, all works.
# kernels: uml 6.1-arm64
# tiers: full tiny
# modules: 8021q vfat minix
# tree xz: isofs
# tools: unload-all
# loader: nanomod

mkdir full
mount -t tmpfs -o size=100% tmpfs full

left() { sed -n 's/^MemAvailable: *\([0-9]*\) .*/\1/p' /proc/meminfo; }

# leave MIB: takes all but these
leave() {
    more=$((($(left) - $1 * 1024) / 1024))
    [ $more -le 0 ] || dd if=/dev/zero bs=1M count=$more 2>/dev/null >>full/file
}

# tried STATUS: whether the last command did it, or told what it could not; a status beyond
# 128 is the kernel's, which kills what it chooses.
tried() {
    [ "$1" = 0 ] || [ "$1" -gt 128 ] || [ -s err ]
}

# With less, a kernel of a distribution has no other way than to kill this shell.
least=6
! grep -q 'User Mode Linux' /proc/cpuinfo || least=0
packed=
! has xz || packed="modprobe -d /trees/xz isofs"
for mebibytes in 24 16 12 8 6 4 3 2 1; do
    [ $mebibytes -gt $least ] || break
    leave $mebibytes
    for command in "modprobe -a 8021q vfat" "insmod $(file / minix)" "lsmod" "coldplug -n" \
        "$packed" "modprobe -r 8021q vfat"; do
        [ -n "$command" ] || continue
        if [ $mebibytes -ge 8 ]; then
            # shellcheck disable=SC2086 # words
            expect 0 "$mebibytes MiB, $command" $command
        else
            # shellcheck disable=SC2086 # words
            ending 30 $command >out 2>err
            check "$mebibytes MiB, $command" tried $?
        fi
    done
    unload-all >still
done
umount full
expect 0 "with memory again" modprobe -a 8021q vfat minix
check "all is there" loaded 8021q garp mrp vfat fat minix
! dmesg | grep -q 'invoked oom-killer' || forget_log
