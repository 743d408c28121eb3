# A reader that goes away ends it, quietly.
# kernels: uml
# modules: 8021q

# More than a pipe holds.
names=$(yes 8021q | head -n 600)
# shellcheck disable=SC2086 # many names
modprobe -a -D $names 2>err | head -n 1 >out
check "the first line arrives" prints '^insmod .*\.ko'
check "there is no message" not test -s err
