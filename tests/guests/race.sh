# Two loaders, one module, different parameters: both succeed, and the module has
# the parameters of one of them, not a mixture.
# kernels: uml 6.1 6.12 6.1-arm64 6.1-armmp
# modules: overlay

for i in 1 2 3 4; do
    (modprobe overlay index=1 metacopy=0 2>err1; echo $? >status1) &
    (modprobe overlay index=0 metacopy=1 2>err2; echo $? >status2) &
    wait
    check "round $i: both succeed" test "$(cat status1 status2)" = "0
0"
    check "round $i: one of them had its way" test \
        "$(cat /sys/module/overlay/parameters/index)" != "$(cat /sys/module/overlay/parameters/metacopy)"
    unload overlay
done
