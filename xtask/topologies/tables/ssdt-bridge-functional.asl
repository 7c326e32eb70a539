DefinitionBlock ("", "SSDT", 2, "TEST", "TEST", 1)
{
    External (\_SB.PCI0, DeviceObj)
    Scope (\_SB.PCI0)
    {
        Method (_STA, 0, NotSerialized)
        {
            Return (One << 3)
        }
    }
}
