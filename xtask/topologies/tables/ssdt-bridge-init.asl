DefinitionBlock ("", "SSDT", 2, "TEST", "TEST", 1)
{
    External (\_SB.PCI0, DeviceObj)
    Scope (\_SB)
    {
        Name (ISON, One)
        Method (_INI, 0, NotSerialized)
        {
            If (_OSI ("Windows 2015"))
            {
                ISON = Zero
            }
        }
    }
    Scope (\_SB.PCI0)
    {
        Method (_STA, 0, NotSerialized)
        {
            If (\_SB.ISON)
            {
                Return (0x0F)
            }
            Return (Zero)
        }
    }
}
