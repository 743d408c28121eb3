# coldplug: what the hardware wants, under modprobe.d's rules. It is scsi_debug's disk, which
# wants sd_mod.
# kernels: uml 6.1 6.12
# modules: scsi_debug sd_mod minix mac-roman overlay mtdoops
# tools: unload-all
# loader: nanomod

[ -e /bin/sh ] || ln -s busybox /bin/sh
clean() {
    rm -rf /etc/modprobe.d/* /etc/modules-load.d/* /etc/modules
    unload-all >still || echo "    can't be removed: $(xargs <still)"
}

modprobe scsi_debug
expect 0 "a disk" coldplug
check "is silent" silent
check "has its driver" loaded sd_mod
rmmod sd_mod
for word in blacklist deny; do
    config "$word sd_mod"
    expect 0 "$word" coldplug
    check "is silent" silent
    check "holds for hardware" absent sd_mod
done
# shellcheck disable=SC2016 # the command's own
config 'install sd_mod echo "$MODPROBE_MODULE" >said'
expect 0 "an install command" coldplug
check "is run" test "$(cat said)" = sd_mod
check "in the module's place" absent sd_mod
config 'alias scsi:t-0x00* overlay' 'alias scsi:t-0x00* mtdoops' 'options overlay index=1'
expect 0 "a driver that fails" coldplug
check "is told of" says "could not insert 'mtdoops': .*mtddev=name/number"
check "and another one loaded" loaded overlay
check "with its options" parameter overlay index Y
clean

expect 0 "a disk that comes later" coldplug --wait-for /dev/sda scsi_debug
check "is waited for" test -b /dev/sda
began=$(cut -d . -f 1 /proc/uptime)
expect 2 "one that never comes" coldplug --wait-for /dev/sda --wait-for /dev/never --timeout 0.5
check "is named" says "ERROR: /dev/never did not come in 0.5 s"
check "and not waited for too long" test $(($(cut -d . -f 1 /proc/uptime) - began)) -lt 5
expect 64 "a timeout of no number" coldplug --timeout soon
check "says so" says "timeout.*soon"
clean
