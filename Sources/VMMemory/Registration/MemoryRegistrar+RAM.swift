import VMAddressSpace
import VMHost

extension MemoryRegistrar {
    /// Adds RAM, to be registered when it is first exposed: also where the chunks it lies in are registered already, and
    /// then it alone. Memory that is registered stays so.
    ///
    /// - Throws: `outsideAddressSpace`, or `overlap` where there is RAM in `range` already, also RAM that is being
    ///   removed; nothing is changed.
    public func addRAM(_ range: MemoryRange) throws(Failure) {
        guard geometry.contains(range) else {
            throw .outsideAddressSpace(range, addressSpaceBits: Int(geometry.addressSpaceBits))
        }
        try ledger.withLock { ledger throws(Failure) in
            if let existing = ledger.ram.overlapping(range).first { throw .overlap(range, existing: existing) }
            ledger.addRAM(range)
            incomplete.fill(geometry.chunks(of: range), with: true)
        }
    }

    /// The RAM there is, ascending, as it was added and not removed since.
    public var ram: [MemoryRange] {
        ledger.withLock { $0.ram.ranges }
    }
}
