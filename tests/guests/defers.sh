# A driver whose init asks to be called again later is, when another module is there or a
# device came.
# kernels: 6.1 6.1-arm64 6.1-armmp
# built: defers shows_wanted slow_4
# tools: unload-all
# loader: nanomod

config "options shows_wanted after=1000"
expect 0 "a device comes" coldplug --settle=2500 defers shows_wanted
check "it is there" loaded defers shows_wanted
unload-all >still
echo defers >/etc/modules-load.d/test.conf
expect 0 "listed" coldplug --settle=2500 shows_wanted
check "it is there" loaded defers shows_wanted
rm /etc/modules-load.d/test.conf
unload-all >still
config "softdep shows_wanted pre: slow_4"
expect 0 "another module goes in" coldplug defers shows_wanted
check "it is there" loaded defers shows_wanted
unload-all >still

# What it looked for comes while it still fails.
config "options defers slowly=1500" "options shows_wanted after=500"
expect 0 "the device comes while it fails" coldplug --settle=1000 defers shows_wanted
check "it is there" loaded defers shows_wanted
unload-all >still
config "options defers slowly=1500"
expect 0 "and another module goes in" coldplug defers shows_wanted
check "it is there" loaded defers shows_wanted
unload-all >still
config ""

new_log
start
expect 1 "nothing comes" coldplug --timeout 60 --settle=1000 defers slow_4
check "says so" says "could not insert 'defers'"
check "the other is there" loaded slow_4
check "it is not" absent defers
check "it was tried a few times at most" test "$(dmesg | grep -c 'defers: no device')" -lt 6
check "and ends soon" within 30
