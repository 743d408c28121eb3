# A driver that failed as its device was not there is tried again when the device comes,
# whoever wanted it; once for each device, and the last try counts.
# kernels: 6.1 6.1-arm64 6.1-armmp
# built: shows_wanted wants_device needs_wants shows_further fails_first needs_first slow_4
# tools: unload-all
# loader: nanomod

# tries MODULE LEAST MOST: how often its init ran
tries() {
    count=$(dmesg | grep -c "$1: .*is there\$")
    [ "$count" -lt "$2" ] || [ "$count" -gt "$3" ] || return 0
    echo "    $1: $count tries"
    return 1
}

# clean: for the next one, the device comes a second after what shows it
clean() {
    rm -f /etc/modules-load.d/*
    unload-all >still
    config "options shows_wanted after=1000" "options shows_further after=1000" "$@"
    new_log
}

# once MODULE...: they are there, and the first one has been tried once for the device
once() {
    check "it is there" loaded "$@"
    check "it was tried twice" tries "$1" 2 2
}

for module in wants_device fails_first; do
    shows=shows_wanted needs=needs_wants
    [ $module = wants_device ] || shows=shows_further needs=needs_first
    clean
    printf '%s\n' $module $shows >/etc/modules-load.d/test.conf
    expect 0 "$module, listed" coldplug --settle=2500
    once $module
    clean
    expect 0 "$module, named" coldplug --settle=2500 $module $shows
    once $module
    clean "softdep slow_4 pre: $module"
    expect 0 "$module, a soft dependency" coldplug --settle=2500 slow_4 $shows
    once $module slow_4
    clean
    expect 0 "$module, a dependency" coldplug --settle=2500 $needs $shows
    once $module $needs
done

clean
expect 0 "it is waited for" coldplug --timeout 20 wants_device shows_wanted \
    --wait-for /sys/bus/platform/drivers/nanomod-wanted/nanomod-wanted.0
once wants_device

# By the time that devices are looked at, it is there.
clean
config "options shows_wanted after=100"
expect 0 "it is there before devices are looked at" coldplug --lists-first --settle=500 \
    wants_device shows_wanted slow_4
once wants_device

clean "options fails_first device=nanomod-further.1" \
    "options shows_further count=2 after=500 every=1000"
expect 0 "the second device is the one" coldplug --settle=2500 shows_further
once fails_first

clean "options fails_first device=none" "options shows_further count=3 after=500 every=1000"
expect 1 "none is the one" coldplug --settle=2500 fails_first shows_further
check "says so" says "could not insert 'fails_first': Input/output error"
check "it was tried for each" tries fails_first 3 4
check "it is not there" absent fails_first

# Somebody removes it in the midst of this.
clean "options shows_wanted count=2 after=200 every=3000"
{ comes 30 loaded wants_device && sleep 1 && busybox rmmod wants_device && : >removed; } &
expect 0 "one that is removed meanwhile" coldplug --settle=4000 shows_wanted
wait
check "it was" test -e removed
check "it is back for the next device" loaded wants_device
clean
