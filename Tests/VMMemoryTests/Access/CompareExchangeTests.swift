import TestSupport
import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

@Suite("Compare and exchange", .timeLimit(.minutes(10)))
struct CompareExchangeTests {
    private func check<Value: FixedWidthInteger & BitwiseCopyable>(
        _ memory: GuestMemory, at raw: UInt64, _ old: Value, _ new: Value
    ) throws {
        let address = GuestAddress(raw)
        try memory.store(old, at: address)
        let failed = try memory.compareExchange(address, expected: new, desired: old)
        #expect(!failed.exchanged && failed.original == old)
        #expect(try memory.load(address) as Value == old)
        let done = try memory.compareExchange(address, expected: old, desired: new)
        #expect(done.exchanged && done.original == old)
        #expect(try memory.load(address) as Value == new)
    }

    @Test("Values of every size, signed and not, are exchanged if they are the expected ones")
    func sizes() throws {
        let memory = try AccessMemory.make(pages: 1)
        try memory.fill(GuestAddress(0), count: 4096, with: 0xaa)
        try check(memory, at: 1, 0x7f as UInt8, 0xff)
        try check(memory, at: 3, -1 as Int8, -128)
        try check(memory, at: 6, 0xfffe as UInt16, 1)
        try check(memory, at: 10, -2 as Int16, 2)
        try check(memory, at: 16, 0xffff_fffe as UInt32, 1)
        try check(memory, at: 24, -2 as Int32, -3)
        try check(memory, at: 32, .max as UInt64, 0)
        try check(memory, at: 48, -1 as Int, .min)
        let untouched: [UInt64] = [0, 2, 4, 5, 8, 9, 12, 15, 20, 28, 40, 47, 56]
        for offset in untouched { #expect(try memory.load(GuestAddress(offset)) as UInt8 == 0xaa) }
    }

    @Test("An address that is not aligned to the value, and a wider value, are refused")
    func notAtomic() throws {
        let memory = try AccessMemory.make(at: 0x1000, pages: 2)
        let attempts: [() throws -> Void] = [
            { _ = try memory.compareExchange(GuestAddress(0x1001), expected: 0 as UInt16, desired: 1) },
            { _ = try memory.compareExchange(GuestAddress(0x1002), expected: 0 as UInt32, desired: 1) },
            { _ = try memory.compareExchange(GuestAddress(0x1ffc), expected: 0 as UInt64, desired: 1) },
            { _ = try memory.compareExchange(GuestAddress(0x1000), expected: 0 as UInt128, desired: 1) },
        ]
        for attempt in attempts { #expect(try AccessMemory.failure(attempt).kind == .notAtomic) }
        #expect(try memory.read(GuestAddress(0x1000), count: 0x2000).allSatisfy { $0 == 0 })
    }

    @Test("Alignment counts by guest-physical address, also in a part of memory")
    func subrange() throws {
        let part = try #require(AddressRange(start: GuestAddress(0x1002), count: 0x100))
        let memory = try AccessMemory.make(at: 0x1000, pages: 1).subrange(part)
        #expect(try memory.compareExchange(GuestAddress(6), expected: 0 as UInt64, desired: 1).exchanged)
        #expect(throws: GuestMemoryError.self) {
            try memory.compareExchange(GuestAddress(8), expected: 0 as UInt64, desired: 1)
        }
    }

    @Test("Only an exchange marks, whatever the bitmap and the sign")
    func marking() throws {
        for memory in [
            try AccessMemory.make([
                AccessMemory.region(0, AccessPages(pages: 1), bitmap: AtomicBitmap(byteCount: 4096))
            ]),
            try AccessMemory.make([AccessMemory.region(0, AccessPages(pages: 1), bitmap: AccessPageSet())]),
            try AccessMemory.make([AccessMemory.region(0, AccessCalls(pages: 1), bitmap: AccessPageSet())]),
        ] {
            _ = try memory.compareExchange(GuestAddress(8), expected: 1 as Int32, desired: -1)
            #expect(!memory.isDirty(0))
            _ = try memory.compareExchange(GuestAddress(8), expected: 0 as Int32, desired: -1)
            #expect(memory.isDirty(0))
        }
        let negative = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1), bitmap: AccessPageSet()),
            AccessMemory.region(0x1000, AccessCalls(pages: 1), bitmap: AccessPageSet()),
        ])
        let before = negative.map.memory().retained().regions
        before[0].access.mapping?.storeBytes(of: -7, as: Int8.self)
        #expect(try negative.compareExchange(GuestAddress(0), expected: -7 as Int8, desired: 1).exchanged)
        #expect(negative.isDirty(0))
        let calls = try #require(before[1].access as? AccessCalls)
        try [0xf9 as UInt8].withUnsafeBytes { try calls.writeFallback(offset: 0, from: $0) }
        #expect(try negative.compareExchange(GuestAddress(0x1000), expected: -7 as Int8, desired: 1).exchanged)
        #expect(negative.isDirty(0x1000))
    }

    @Test(
        "Threads that count by it lose nothing",
        arguments: [AccessMemoryKind.oneRegion, .customBitmap, .permitted, .calls])
    func race(_ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        let memory = contract.memory
        let address = GuestAddress(contract.start + 0x40)
        let rounds = 3000
        @Sendable func count<Value: FixedWidthInteger & BitwiseCopyable & Sendable>(
            _ address: GuestAddress, _ type: Value.Type
        ) throws {
            for _ in 0..<rounds {
                var expected = try memory.load(address, as: type)
                while true {
                    let (exchanged, found) = try memory.compareExchange(
                        address, expected: expected, desired: expected &+ 1)
                    if exchanged { break }
                    expected = found
                }
            }
        }
        // The neighbours are counted up, too: an exchange of too many bytes would lose some of theirs.
        let next = GuestAddress(address.rawValue + 4)
        try onThreads([
            { try count(address, UInt32.self) }, { try count(address, UInt32.self) }, { try count(next, Int16.self) },
            { try count(next, Int16.self) },
        ])
        #expect(try memory.load(address) as UInt32 == UInt32(2 * rounds))
        #expect(try memory.load(next) as Int16 == Int16(2 * rounds))
        #expect(contract.isMarked(address.rawValue, 8))
    }
}
