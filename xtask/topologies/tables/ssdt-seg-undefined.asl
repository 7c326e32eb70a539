DefinitionBlock ("", "SSDT", 2, "TEST", "TEST", 1)
{
    External (XXXX)
    External (\_SB.PCI0, DeviceObj)
    Scope (\_SB.PCI0)
    {
        Name (_STA, Zero)
    }
    Scope (\_SB)
    {
        Device (OTHR)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_UID, "other")
            Name (_PRT, Package ()
            {
                Package () { 0x0000FFFF, 0, Zero, 35 },
                Package () { 0x0000FFFF, 1, Zero, 36 },
                Package () { 0x0000FFFF, 2, Zero, 37 },
                Package () { 0x0000FFFF, 3, Zero, 38 },
                Package () { 0x0001FFFF, 0, Zero, 36 },
                Package () { 0x0001FFFF, 1, Zero, 37 },
                Package () { 0x0001FFFF, 2, Zero, 38 },
                Package () { 0x0001FFFF, 3, Zero, 35 },
                Package () { 0x0002FFFF, 0, Zero, 37 },
                Package () { 0x0002FFFF, 1, Zero, 38 },
                Package () { 0x0002FFFF, 2, Zero, 35 },
                Package () { 0x0002FFFF, 3, Zero, 36 },
                Package () { 0x0003FFFF, 0, Zero, 38 },
                Package () { 0x0003FFFF, 1, Zero, 35 },
                Package () { 0x0003FFFF, 2, Zero, 36 },
                Package () { 0x0003FFFF, 3, Zero, 37 }
            })
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0x0000, 0x0000, 0x00FF, 0x0000, 0x0100)
                DWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                    0x00000000, 0x00000000, 0x0000FFFF, 0x3EFF0000, 0x00010000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x00000000, 0x10000000, 0x3EFEFFFF, 0x00000000, 0x2EFF0000)
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                    0x0000000000000000, 0x0000008000000000, 0x000000FFFFFFFFFF, 0x0000000000000000, 0x0000008000000000)
            })
            Name (_CCA, One)
            Method (_SEG, 0, NotSerialized)
            {
                Return (XXXX)
            }
        }
    }
}
