import VMMemory

extension SparseMapping {
    func move(
        offset: UInt64, count: UInt64, to other: SparseMapping, at: UInt64, protection: MemoryProtection?,
        waitingUpTo: Duration = .zero
    ) throws(HostMemoryError) {}
}
