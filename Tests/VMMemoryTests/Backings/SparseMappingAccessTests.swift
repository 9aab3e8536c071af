import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

/// A guest's whole address space as one reservation, with regions in it.
@Suite struct SparseMappingAccessTests {
    private let space: SparseMapping
    private let memory: GuestMemory
    private let bitmap: AtomicBitmap

    private static let size: UInt64 = 1 << 40
    private static let ram: UInt64 = 1 << 32

    /// One region of 64 KiB at 4 GiB, of which the first half is mapped.
    init() throws {
        space = try SparseMapping(byteCount: Self.size)
        try space.map(offset: Self.ram, count: 0x8000, .anonymous)
        bitmap = try AtomicBitmap(byteCount: 0x1_0000)
        let range = try MemoryRange(start: GuestAddress(Self.ram), count: 0x1_0000)
        let region = try MemoryRegion(range, space, offset: Self.ram, bitmap: bitmap)
        memory = GuestMemory(GuestMemoryAtomic(try RegionMap([region])))
    }

    private func address(_ offset: UInt64) -> GuestAddress { GuestAddress(Self.ram + offset) }

    @Test("An offset in the reservation is a guest-physical address")
    func offsetsAreAddresses() throws {
        try memory.write([1, 2, 3], at: address(0x7ffd))
        let host = space.baseAddress + Int(Self.ram) + 0x7ffd
        #expect((0..<3).map { host.load(fromByteOffset: $0, as: UInt8.self) } == [1, 2, 3])
        #expect(Array(bitmap.dirtyRuns()) == [7..<8])
    }

    @Test("Where nothing is mapped an access fails with the exact address, and succeeds once something is")
    func holes() throws {
        let bytes = [UInt8](repeating: 7, count: 0x2000)
        let error = #expect(throws: GuestMemoryError.self) { try memory.write(bytes, at: address(0x7000)) }
        #expect(error?.failing == address(0x8000))
        #expect(error?.completed == 0x1000)
        // The reservation is there, with no access to it.
        #expect(error?.kind == .fault(.protected))
        try space.map(offset: Self.ram + 0x8000, count: 0x1000, .anonymous)
        try memory.write(bytes, at: address(0x7000))
        #expect(try memory.read(address(0x7000), count: 0x2000) == bytes)
    }

    @Test("Memory that is decommitted or protected under the handle shows it at once")
    func changesInPlace() throws {
        try memory.fill(address(0), count: 0x4000, with: 5)
        try space.decommit(offset: Self.ram, count: 0x1000)
        #expect(try memory.load(address(0), as: UInt8.self) == 0)
        try space.protect(offset: Self.ram + 0x1000, count: 0x1000, .read)
        #expect(try memory.load(address(0x1000), as: UInt8.self) == 5)
        let error = #expect(throws: GuestMemoryError.self) { try memory.store(UInt8(6), at: address(0x1000)) }
        #expect(error?.kind == .fault(.protected))
        try space.unmap(offset: Self.ram + 0x2000, count: 0x1000)
        #expect(throws: GuestMemoryError.self) { try memory.load(address(0x2000), as: UInt8.self) }
        #expect(try memory.load(address(0x3000), as: UInt8.self) == 5)
    }

    @Test("Locked pages are neither unmapped nor decommitted nor restricted until they are unlocked")
    func locks() throws {
        do {
            let locked = try memory.lock(address(0x1800), count: 0x1000, for: .writing)
            let pieceCount = locked.pieceCount
            #expect(pieceCount == 1)
            let refused = Self.ram + 0x1000..<Self.ram + 0x3000
            for change in [
                { try space.unmap(offset: Self.ram, count: 0x8000) },
                { try space.decommit(offset: Self.ram + 0x2000, count: 0x1000) },
                { try space.protect(offset: Self.ram + 0x1000, count: 0x1000, .read) },
            ] as [() throws -> Void] {
                let error = #expect(throws: HostMemoryError.self) { try change() }
                guard case .locked(let range) = error?.reason else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
                #expect(range.overlaps(refused))
            }
            try space.unmap(offset: Self.ram + 0x3000, count: 0x1000)
        }
        try space.unmap(offset: Self.ram, count: 0x3000)
        #expect(Array(bitmap.dirtyRuns()) == [1..<3])
    }

    @Test("What is not mapped is not locked, and nothing stays locked by the attempt")
    func locksOfHoles() throws {
        let error = #expect(throws: GuestMemoryError.self) {
            _ = try memory.lock(address(0x7000), count: 0x2000, for: .reading)
        }
        guard case .backing = error?.kind else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try !space.isLocked(offset: Self.ram, count: 0x1_0000))
    }

    @Test("Pages are locked for what their mapping allows, and for nothing more")
    func locksByProtection() throws {
        try space.protect(offset: Self.ram + 0x1000, count: 0x1000, .readOnly)
        try space.protect(offset: Self.ram + 0x2000, count: 0x1000, .none)
        let pieceCount = try memory.lock(address(0x1000), count: 0x1000, for: .reading).pieceCount
        #expect(pieceCount == 1)
        for (offset, purpose) in [(0x1000, .writing), (0x2000, .reading)] as [(UInt64, GuestMemory.Purpose)] {
            let error = #expect(throws: GuestMemoryError.self) {
                _ = try memory.lock(address(offset), count: 0x1000, for: purpose)
            }
            #expect("\(error!)".hasSuffix("the host's mapping does not allow \(purpose)"))
        }
        #expect(try !space.isLocked(offset: Self.ram, count: 0x1_0000))
    }

    @Test("A mapping that is read-only as a whole is not locked for writing, whatever its region says")
    func readOnlyMapping() throws {
        let range = try MemoryRange(start: GuestAddress(0), count: 0x1000)
        let mapping = try HostMapping(anonymous: 0x1000, protection: .readOnly)
        let region = try MemoryRegion(range, MappedMemory(mapping), bitmap: NoBitmap())
        let memory = GuestMemory(GuestMemoryAtomic(try RegionMap([region])))
        let pieceCount = try memory.lock(GuestAddress(0), count: 0x1000, for: .reading).pieceCount
        #expect(pieceCount == 1)
        #expect(throws: GuestMemoryError.self) { _ = try memory.lock(GuestAddress(0), count: 1, for: .writing) }
    }
}
