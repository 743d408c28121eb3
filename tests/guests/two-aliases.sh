# A device of ACPI's tables that has a description for device trees, too, has two modaliases,
# each in a line: both are looked up.
# kernels: 6.1 6.12
# acpi: two-ids
# modules: minix mac-roman nls_cp437
# loader: nanomod

find /sys/devices -name modalias -exec grep -l NMOD0001 {} + >files
check "the device is there" test -s files
# shellcheck disable=SC2046 # names of files
check "with two lines" grep -q '^of:N.*Cnanomod,wanted' $(cat files)

config "alias of:N*T*Cnanomod,wanted minix"
expect 0 "the second line" coldplug
check "has its driver" loaded minix
unload minix
config "alias acpi:NMOD0001:* mac-roman" "alias of:N*T*Cnanomod,wanted minix" \
    "alias of:N*T*Cnanomod,other nls_cp437"
expect 0 "both" coldplug
check "have theirs" loaded mac_roman minix
check "nothing else" absent nls_cp437
unload mac_roman minix
