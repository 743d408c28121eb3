// A device that names itself as ACPI does, and as device trees do.
DefinitionBlock ("", "SSDT", 2, "NMOD", "TWOIDS", 1)
{
    Scope (\_SB)
    {
        Device (NMOD)
        {
            Name (_HID, "NMOD0001")
            Name (_CID, "PRP0001")
            Name (_UID, 0)
            Name (_STA, 0x0F)
            Name (_DSD, Package ()
            {
                ToUUID ("daffd814-6eba-4d8c-8a91-bc9bbf4aa301"),
                Package ()
                {
                    Package () { "compatible", "nanomod,wanted" }
                }
            })
        }
    }
}
