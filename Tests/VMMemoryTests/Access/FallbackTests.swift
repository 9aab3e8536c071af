import Glibc
import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

@Suite("Backings that are reached by calls")
struct FallbackTests {
    @Test("A piece in one region is one call, however long")
    func oneCall() throws {
        let (lower, upper) = (AccessCalls(pages: 2), AccessCalls(pages: 2))
        let memory = try AccessMemory.make([AccessMemory.region(0x1000, lower), AccessMemory.region(0x3000, upper)])
        let bytes = AccessMemory.pattern(0x2000)
        try memory.write(bytes, at: GuestAddress(0x2004))
        #expect(try memory.read(GuestAddress(0x2004), count: 0x2000) == bytes)
        try memory.fill(GuestAddress(0x3000), count: 0x2000, with: 1)
        #expect(lower.calls == [.write(offset: 0x1004, count: 0xffc), .read(offset: 0x1004, count: 0xffc)])
        #expect(
            upper.calls == [
                .write(offset: 0, count: 0x1004), .read(offset: 0, count: 0x1004), .fill(offset: 0, count: 0x2000),
            ])
    }

    @Test("An aligned value is one call of its size", arguments: [1, 2, 4, 8])
    func values(_ size: Int) throws {
        let calls = AccessCalls(pages: 1)
        let memory = try AccessMemory.make([AccessMemory.region(0, calls)])
        func check<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) throws {
            try memory.store(Value.max, at: GuestAddress(0x18))
            #expect(try memory.load(GuestAddress(0x18)) as Value == .max)
            let found = try memory.compareExchange(GuestAddress(0x18), expected: Value.max, desired: 5)
            #expect(found.exchanged && found.original == .max)
            #expect(try memory.load(GuestAddress(0x18)) as Value == 5)
        }
        switch size {
        case 1: try check(Int8.self)
        case 2: try check(UInt16.self)
        case 4: try check(UInt32.self)
        default: try check(UInt64.self)
        }
        #expect(
            calls.calls == [
                .write(offset: 0x18, count: size), .read(offset: 0x18, count: size),
                .compareExchange(offset: 0x18, size: size), .read(offset: 0x18, count: size),
            ])
    }

    @Test("What a call throws is the access's error, and what may be written is marked")
    func failing() throws {
        let calls = AccessCalls(pages: 4, failingFrom: 0x1800)
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1)), AccessMemory.region(0x1000, calls, bitmap: AccessPageSet()),
        ])
        let error = try AccessMemory.failure { try memory.write(AccessMemory.pattern(0x3000), at: GuestAddress(0xfff)) }
        #expect(error.kind == .backing(AccessCalls.refusal))
        #expect(error.failing == GuestAddress(0x1000))
        #expect(error.completed == 1)
        #expect(memory.isDirty(0x1000) && memory.isDirty(0x2000) && memory.isDirty(0x3000))
        let read = try AccessMemory.failure { _ = try memory.read(GuestAddress(0x2000), count: 0x1000) }
        #expect(read.kind == .backing(AccessCalls.refusal))
        #expect(read.failing == GuestAddress(0x2000))
        #expect(!memory.isDirty(0x4000))
        let exchange = try AccessMemory.failure {
            _ = try memory.compareExchange(GuestAddress(0x4000), expected: 0 as UInt8, desired: 1)
        }
        #expect(exchange.kind == .backing(AccessCalls.refusal))
    }

    @Test("Each fallback that a backing does not have is an error")
    func defaults() throws {
        final class Nothing: GuestMemoryAccess {
            var mapping: UnsafeMutableRawPointer? { nil }
            var byteCount: UInt64 { 4096 }
        }
        let memory = try AccessMemory.make([AccessMemory.region(0, Nothing())])
        let attempts: [() throws -> Void] = [
            { _ = try memory.read(GuestAddress(0), count: 1) }, { try memory.write([1], at: GuestAddress(0)) },
            { try memory.fill(GuestAddress(0), count: 1, with: 0) },
            { _ = try memory.compareExchange(GuestAddress(0), expected: 0 as UInt8, desired: 1) },
        ]
        for attempt in attempts {
            #expect(try AccessMemory.failure(attempt).kind == .backing(.notSupported))
        }
        let lock = try AccessMemory.failure { _ = try memory.lock(GuestAddress(0), count: 1, for: .reading) }
        #expect(lock.kind == .noHostAddress)
        let address = try AccessMemory.failure { _ = try memory.deviceAddress(of: GuestAddress(0), count: 1) }
        #expect(address.kind == .noHostAddress)
    }

    /// Four parts of four pages: one that can be read and written through the mapping, one that the access bitmap lets be
    /// read alone, one that is there by calls alone, and one that fails.
    private final class Quartered: GuestMemoryAccess {
        static let part: UInt64 = 0x4000
        static let refusal = GuestMemoryBackingError("the last quarter is closed")
        let pages: AccessPages
        let calls = AccessCalls(pages: 16)
        private let permissions: PagePermissions

        init() throws {
            pages = try AccessPages(pages: 16)
            permissions = try PagePermissions(byteCount: 4 * Self.part)
            permissions.set(.read, offset: Self.part, count: Self.part)
            permissions.set([], offset: 2 * Self.part, count: 2 * Self.part)
            // Nothing may come here but through the bitmap.
            pages.protect(8..<16, PROT_NONE)
        }

        var mapping: UnsafeMutableRawPointer? { pages.base }
        var byteCount: UInt64 { pages.byteCount }
        var accessBitmap: AccessBitmap? { permissions.accessBitmap }

        func pageFault(offset: UInt64, count: UInt64, _ fault: PageFault) -> PageFaultAction {
            guard fault.cause == .accessBitmap, offset + count <= byteCount else { return .fail(nil) }
            switch offset / Self.part {
            case 1: return .fail(nil)
            case 2: return .fallback
            default: return .fail(Self.refusal)
            }
        }

        func readFallback(offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryBackingError) {
            try calls.readFallback(offset: offset, into: buffer)
        }

        func writeFallback(offset: UInt64, from buffer: UnsafeRawBufferPointer) throws(GuestMemoryBackingError) {
            try calls.writeFallback(offset: offset, from: buffer)
        }

        func fillFallback(offset: UInt64, count: UInt64, with value: UInt8) throws(GuestMemoryBackingError) {
            try calls.fillFallback(offset: offset, count: count, with: value)
        }

        func compareExchangeFallback(
            offset: UInt64, size: Int, expected: UInt64, desired: UInt64
        ) throws(GuestMemoryBackingError) -> UInt64 {
            try calls.compareExchangeFallback(offset: offset, size: size, expected: expected, desired: desired)
        }
    }

    @Test("Each quarter of a backing in four parts answers in its own way")
    func quarters() throws {
        let backing = try Quartered()
        let memory = try AccessMemory.make([AccessMemory.region(0, backing, bitmap: AccessPageSet())])
        for quarter in 0..<4 as Range<UInt64> {
            let address = GuestAddress(quarter * 0x4000 + 0x100)
            let reading: [() throws -> Void] = [
                { _ = try memory.read(address, count: 64) }, { _ = try memory.load(address, as: UInt32.self) },
                { try memory.probe(address, count: 0x1000, for: .reading) },
            ]
            let writing: [() throws -> Void] = [
                { try memory.write([1, 2, 3], at: address) }, { try memory.store(1 as UInt64, at: address) },
                { try memory.fill(address, count: 100, with: 1) },
                { _ = try memory.compareExchange(address, expected: 1 as UInt64, desired: 2) },
                { try memory.probe(address, count: 0x1000, for: .writing) },
            ]
            for (attempts, readable) in [(reading, true), (writing, false)] {
                for attempt in attempts {
                    switch (quarter, readable) {
                    case (0, _), (1, true), (2, _): try attempt()
                    case (1, false): #expect(try AccessMemory.failure(attempt).kind == .notPermitted)
                    default: #expect(try AccessMemory.failure(attempt).kind == .backing(Quartered.refusal))
                    }
                }
            }
        }
        #expect((0..<16).map { memory.isDirty($0 << 12) }.filter { $0 }.count == 4)
    }

    @Test("An access across the quarters goes as far as it can")
    func acrossQuarters() throws {
        let backing = try Quartered()
        let memory = try AccessMemory.make([AccessMemory.region(0x1_0000, backing)])
        let write = try AccessMemory.failure {
            try memory.write(AccessMemory.pattern(0x100), at: GuestAddress(0x1_3fc0))
        }
        #expect(write.kind == .notPermitted)
        #expect(write.failing == GuestAddress(0x1_4000))
        #expect(write.completed == 0x40)
        let bytes = try memory.available(0x1_3fc0, 0x1_0000)
        #expect(bytes.count == 0x8040)
        #expect(Array(bytes[..<0x40]) == AccessMemory.pattern(0x40))
        let read = try AccessMemory.failure { _ = try memory.read(GuestAddress(0x1_7f00), count: 0x8000) }
        #expect(read.kind == .backing(Quartered.refusal))
        #expect(read.failing == GuestAddress(0x1_c000))
        #expect(read.completed == 0x4100)
        // A page at a time, as the next one may be accessible through the mapping.
        let pages = (0..<4 as Range<UInt64>).map { AccessCalls.Call.read(offset: 0x8000 + $0 * 0x1000, count: 0x1000) }
        #expect(Array(backing.calls.calls.prefix(4)) == pages)
    }
}
