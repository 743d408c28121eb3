# A driver without its firmware often says nothing of it: coldplug -v does, and is silent
# where the file is there.
# kernels: 6.1 6.1-arm64 6.1-armmp
# needs: json
# built: wants_firmware slow_4
# loader: nanomod

# missing: what is told names the file
missing() { cat out err | grep -q 'nanomod/first\.bin'; }

expect 0 "without its firmware" coldplug wants_firmware
check "it is there" loaded wants_firmware
check "silently" silent
unload wants_firmware
expect 0 "-v" coldplug -v wants_firmware
check "names the file" says "nanomod/first\.bin"
unload wants_firmware
expect 0 "--json" coldplug --json wants_firmware
check "is JSON" is_json out
check "names the file" prints "nanomod/first\.bin"
unload wants_firmware
expect 0 "-v, a driver without any" coldplug -v slow_4
check "names none" not missing
unload slow_4

for file in /lib/firmware/nanomod/first.bin /lib/firmware/nanomod/first.bin.xz \
    "/lib/firmware/updates/nanomod/first.bin" "/lib/firmware/$REL/nanomod/first.bin"; do
    mkdir -p "${file%/*}"
    echo firmware >"$file"
    expect 0 "-v with $file" coldplug -v wants_firmware
    check "names none" not missing
    unload wants_firmware
    expect 0 "--json" coldplug --json wants_firmware
    check "names none" not missing
    unload wants_firmware
    rm -r /lib/firmware
done
