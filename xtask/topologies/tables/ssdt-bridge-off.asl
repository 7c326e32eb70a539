DefinitionBlock ("", "SSDT", 2, "TEST", "TEST", 1)
{
    External (\_SB.PCI0, DeviceObj)
    Scope (\_SB.PCI0)
    {
        Name (MODE, 0x20)
        Method (_STA, 0, NotSerialized)
        {
            Local0 = 0x0F
            If (MODE != 0x10)
            {
                Local0 = Zero
            }
            Return (Local0)
        }
    }
}
