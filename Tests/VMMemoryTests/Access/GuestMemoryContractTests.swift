import Testing
import VMAddressSpace
import VMMemory

/// What holds for every kind of memory.
@Suite("The contract of guest memory", .timeLimit(.minutes(10)))
struct GuestMemoryContractTests {
    @Test("Fresh memory is zero, all of it", arguments: AccessMemoryKind.allCases)
    func zero(_ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        #expect(try contract.contents.allSatisfy { $0 == 0 })
        #expect(contract.memory.contains(GuestAddress(contract.start), count: UInt64(contract.count)))
    }

    @Test("The last byte can be accessed, and none after it", arguments: AccessMemoryKind.allCases)
    func lastByte(_ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        let last = GuestAddress(contract.last)
        try contract.memory.store(0x5a as UInt8, at: last)
        #expect(try contract.memory.load(last) as UInt8 == 0x5a)
        #expect(try contract.contents.last == 0x5a)
        #expect(throws: GuestMemoryError.self) { try contract.memory.load(last, as: UInt16.self) }
        #expect(throws: GuestMemoryError.self) { try contract.memory.store(1 as UInt16, at: last) }
        #expect(try contract.memory.load(last) as UInt8 == 0x5a)
        #expect(!contract.memory.contains(last, count: 2))
        if let next = last.advanced(byBytes: 1) {
            #expect(throws: GuestMemoryError.self) { try contract.memory.load(next, as: UInt8.self) }
            #expect(!contract.memory.contains(next, count: 1))
        }
    }

    @Test("Nothing that only reads marks a page", arguments: AccessMemoryKind.allCases)
    func readsMarkNothing(_ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        let (memory, start) = (contract.memory, GuestAddress(contract.start))
        _ = try contract.contents
        _ = try memory.load(start, as: UInt64.self)
        _ = try memory.available(contract.start, 1 << 20)
        _ = try memory.compareExchange(GuestAddress(contract.start + 7), expected: 1 as UInt8, desired: 2)
        try memory.probe(start, count: UInt64(contract.count), for: .reading)
        let frame = (contract.start + 4095) >> 12
        _ = try memory.read(#require(PagedRange(frames: [frame, frame], count: 8192)))
        try memory.write([], at: start)
        try memory.fill(start, count: 0, with: 1)
        #expect(contract.isClean)
    }

    @Test("A write that is not all memory changes nothing, and marks nothing", arguments: AccessMemoryKind.allCases)
    func allOrNothing(_ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        let tail = GuestAddress(contract.last - 4999)
        let frame = contract.last >> 12
        #expect(throws: GuestMemoryError.self) {
            try contract.memory.write([UInt8](repeating: 1, count: 5001), at: tail)
        }
        #expect(throws: GuestMemoryError.self) { try contract.memory.fill(tail, count: 5001, with: 1) }
        #expect(throws: GuestMemoryError.self) { try contract.memory.fill(tail, count: .max, with: 1) }
        // Past the last frame of all there is no list of pages.
        if let pages = PagedRange(frames: [frame - 1, frame + 1], count: 8192) {
            #expect(throws: GuestMemoryError.self) { try contract.memory.fill(pages, with: 1) }
        }
        #expect(try contract.contents.allSatisfy { $0 == 0 })
        #expect(contract.isClean)
    }

    @Test("An access of no bytes succeeds anywhere", arguments: AccessMemoryKind.allCases)
    func noBytes(_ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        let memory = contract.memory
        let ends = [contract.start, contract.start &+ UInt64(contract.count), contract.start &- 1]
        for address in (ends + [0, 1, 1 << 63, .max]).map({ GuestAddress($0) }) {
            #expect(try memory.read(address, count: 0) == [])
            try memory.write([], at: address)
            try withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { buffer in
                let none = UnsafeMutableRawBufferPointer(rebasing: buffer[..<0])
                try memory.read(address, into: none)
                try memory.write(UnsafeRawBufferPointer(none), at: address)
                #expect(try memory.readAvailable(address, into: none) == 0)
                #expect(try memory.writeAvailable(UnsafeRawBufferPointer(none), at: address) == 0)
            }
            try memory.fill(address, count: 0, with: 1)
            try memory.store((), at: address)
            try memory.load(address, as: Void.self)
            try memory.probe(address, count: 0, for: .writing)
            let locked = try memory.lock(address, count: 0, for: .writing)
            let pieceCount = locked.pieceCount
            #expect(pieceCount == 0)
            #expect(memory.contains(address, count: 0))
        }
        #expect(contract.isClean)
    }
}
