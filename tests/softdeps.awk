# Makes one softdep line of all that modules.softdep has for a module. All of them
# count for nanomod, only the first for kmod: where both are to plan the same, both
# are told this, in a file of modprobe.d that sorts before modules.softdep.
$1 == "softdep" {
    if (!($2 in pre)) modules[++count] = $2
    list = ""
    for (i = 3; i <= NF; i++) {
        if ($i == "pre:" || $i == "post:") list = $i
        else if (list == "pre:") pre[$2] = pre[$2] " " $i
        else if (list == "post:") post[$2] = post[$2] " " $i
    }
    pre[$2] = pre[$2]
}
END {
    for (i = 1; i <= count; i++)
        print "softdep " modules[i] " pre:" pre[modules[i]] " post:" post[modules[i]]
}
