# Drivers whose init takes long or never returns: coldplug ends when what it is to wait for is
# there, or with its timeout at the latest; it says whom it left behind, and that one goes on
# in the kernel.
# kernels: 6.1 6.1-arm64 6.1-armmp
# built: never_returns_1 never_returns_2 never_returns_3 never_returns_4 never_returns_5
# built: never_returns_6 needs_never_returns hangs shows slow_4 slow_5
# tools: unload-all
# loader: nanomod
# last: 1

stuck never_returns_1 never_returns_2 never_returns_3 never_returns_4 never_returns_5 never_returns_6
# The kernel is not to tell that they hang.
echo 0 >/proc/sys/kernel/hung_task_timeout_secs
new_log
coldplug() { ending 25 /sbin/nanomod coldplug "$@"; }
device=/sys/devices/platform/nanomod-late.0

start
expect 0 "what is waited for is there" coldplug --timeout 30 --wait-for $device \
    needs_never_returns shows
check "it ends soon" within 20
check "says whom it left behind" says "left behind: .*\bnever_returns_1\b"
check "it is not there" not loaded never_returns_1
check "nor what needs it" absent needs_never_returns
unload shows

start
expect 1 "nothing is waited for" coldplug --timeout 3 never_returns_2 slow_4
check "it ends with the timeout" within 20
check "not before it" not within 3
check "says whom it left behind" says "left behind: .*\bnever_returns_2\b"
check "the other is there" loaded slow_4
unload slow_4

start
expect 1 "a dependency" coldplug -j 1 --timeout 3 needs_never_returns slow_4
check "it ends with the timeout" within 20
check "names it" says "never_returns"
unload slow_4

echo never_returns_3 >/etc/modules-load.d/test.conf
start
expect 0 "one that a list names" coldplug --timeout 3 slow_4
check "it ends with the timeout" within 20
check "says whom it left behind" says "left behind: .*\bnever_returns_3\b"
check "the other is there" loaded slow_4
rm /etc/modules-load.d/test.conf
unload slow_4

start
expect 2 "a path that does not come" coldplug --timeout 3 --wait-for /dev/nothing never_returns_4 slow_4
check "it ends with the timeout" within 20
check "names the path" says "/dev/nothing did not come"
check "says whom it left behind" says "left behind: .*\bnever_returns_4\b"
check "the other is there" loaded slow_4
unload slow_4

# What is inserted meanwhile must not hold the shell's end of the pipe.
capture() {
    text=$(/sbin/nanomod coldplug --timeout 2 never_returns_5 slow_4 2>&1)
    status=$?
    echo "$text" >err
    echo $status >ended
}
rm -f ended
capture &
check "a shell that reads its output goes on" comes 20 test -s ended
check "with the status" test "$(cat ended)" = 1
check "and the output" says "left behind: .*\bnever_returns_5\b"
check "the other is there" loaded slow_4
unload slow_4

start
expect 0 "one that takes long" coldplug --timeout 30 --wait-for $device hangs shows
check "says whom it left behind" says "left behind: .*\bhangs\b"
check "it is not there yet" not loaded hangs
check "but later" comes 30 loaded hangs
unload hangs shows

expect 0 "there is time for what is short" coldplug --timeout 30 --wait-for /dev/null slow_4 slow_5
check "they are there" loaded slow_4 slow_5
check "silently" silent
unload slow_4 slow_5

expect 0 "a --timeout that is long enough" coldplug --timeout 30 hangs slow_4
check "both are there" loaded hangs slow_4
check "silently" silent
unload hangs slow_4

start
expect 1 "coldplug of one that is under way already" coldplug --timeout 3 never_returns_1 slow_4
check "it ends with the timeout" within 20
check "the other is there" loaded slow_4
unload slow_4

# modprobe has no timeout: whoever loses patience can end it.
if has jobs; then
    /sbin/modprobe -a -j 4 never_returns_6 slow_4 >out 2>err &
    check "modprobe of one that never returns: the other is there" comes 20 loaded slow_4
    kill $!
    check "it can be ended" comes 20 not kill -0 $!
    unload slow_4
fi
forget_log
