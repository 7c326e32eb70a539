DefinitionBlock ("", "SSDT", 2, "TEST", "TEST", 1)
{
    External (\_SB.PCI0, DeviceObj)
    Scope (\_SB.PCI0)
    {
        OperationRegion (REGN, SystemMemory, 0x09030000, 0x08)
        Field (REGN, DWordAcc, NoLock, Preserve)
        {
            WORD, 32
        }
        Method (_STA, 0, NotSerialized)
        {
            If (WORD == 0x12345678)
            {
                Return (Zero)
            }
            Return (0x0F)
        }
    }
}
