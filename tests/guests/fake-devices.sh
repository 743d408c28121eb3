# What a device shows of itself in a way that few machines here have: two modaliases, in two
# lines of `modalias` or of `uevent`, and what a device tree says of it in `uevent` alone.
# The devices are made up, in place of a directory of this machine's.
# kernels: uml 6.1 6.1-arm64 6.1-armmp
# modules: minix mac-roman nls_cp437
# tools: unload-all
# loader: nanomod

# device [FILE LINE...]...: is there, with these lines in its files
device() {
    rm -rf fake
    mkdir -p fake/test
    file=
    for line in "$@"; do
        case $line in
        -*) file=${line#-} && : >"fake/test/$file" ;;
        *) echo "$line" >>"fake/test/$file" ;;
        esac
    done
    mount --bind fake /sys/devices/virtual
}
# gone MODULE...: neither device nor modules
gone() {
    umount /sys/devices/virtual
    unload-all >still
}
aliases() {
    config "alias acpi:NMOD0011:* mac-roman" "alias of:N*T*Cnanomod,wanted* minix" \
        "alias of:N*T*Cnanomod,other* nls_cp437" "alias spi:wanted mac-roman"
}

aliases
device -modalias acpi:NMOD0011:PRP0001: of:NtestT\(null\)Cnanomod,wanted
expect 0 "two lines of modalias" coldplug
check "have their drivers" loaded mac_roman minix
check "nothing else" absent nls_cp437
gone

device -modalias acpi:NMOD0012: of:NtestT\(null\)Cnanomod,wanted
expect 0 "the second of them" coldplug
check "has its driver" loaded minix
check "nothing else" absent mac_roman nls_cp437
gone

device -subsystem -uevent MODALIAS=acpi:NMOD0011: MODALIAS=of:NtestT\(null\)Cnanomod,wanted
expect 0 "two of uevent" coldplug
check "have their drivers" loaded mac_roman minix
gone

device -modalias -uevent MODALIAS=spi:wanted
expect 0 "an empty modalias" coldplug
check "does not hide that of uevent" loaded mac_roman
gone

device -modalias spi:unknown -uevent OF_NAME=test OF_COMPATIBLE_0=nanomod,first \
    OF_COMPATIBLE_1=nanomod,wanted OF_COMPATIBLE_N=2 MODALIAS=spi:unknown
config "alias of:N*T*Cnanomod,firstCnanomod,wanted minix"
expect 0 "what a device tree says" coldplug
check "is looked up" loaded minix
gone
