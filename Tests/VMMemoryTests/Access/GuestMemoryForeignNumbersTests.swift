import TestSupport
import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMMemory

/// Addresses and lengths that come from a guest can be anything: nothing may trap, whatever they are.
@Suite("Guest memory and numbers out of all range", .timeLimit(.minutes(10)))
struct GuestMemoryForeignNumbersTests {
    private static let edges: [UInt64] = [
        0, 1, 8, 0xfff, 0x1000, 0x1001, 0x4000, 0x8000, 0x1_0000, 0x1_1000, 1 << 32, 1 << 47, 1 << 52, 1 << 63, .max,
    ]

    /// Around one of the numbers where arithmetic turns, or any.
    private func number(_ random: inout SeededGenerator) -> UInt64 {
        guard Int.random(in: 0..<8, using: &random) > 0 else { return UInt64.random(in: 0 ... .max, using: &random) }
        let near = UInt64(bitPattern: Int64.random(in: -9...9, using: &random))
        return Self.edges.randomElement(using: &random)! &+ near
    }

    @Test("No access traps, whatever the address and the length", arguments: AccessMemoryKind.allCases)
    func anything(_ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        var random = SeededGenerator(seed: 7)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 8)
        defer { buffer.deallocate() }
        for _ in 0..<400 {
            let (address, count) = (number(&random), number(&random))
            attempt(contract.memory, address, count, buffer)
            attempt(contract.memory, contract.start &+ address, count, buffer)
            attempt(contract.memory, contract.last &- count, count &+ (address & 3), buffer)
        }
        #expect(contract.memory.contains(GuestAddress(contract.start), count: UInt64(contract.count)))
    }

    /// Tries everything there is. No memory is longer than `buffer`, so that none of it passes its end.
    private func attempt(
        _ memory: GuestMemory, _ raw: UInt64, _ count: UInt64, _ buffer: UnsafeMutableRawBufferPointer
    ) {
        let address = GuestAddress(raw)
        let start = buffer.baseAddress!
        _ = try? memory.read(address, count: Int(bitPattern: UInt(count)))
        let length = Int(clamping: count)
        let target = UnsafeMutableRawBufferPointer(start: start, count: length)
        _ = try? memory.read(address, into: target)
        _ = try? memory.readAvailable(address, into: target)
        _ = try? memory.write(UnsafeRawBufferPointer(target), at: address)
        _ = try? memory.writeAvailable(UnsafeRawBufferPointer(target), at: address)
        _ = try? memory.fill(address, count: count, with: 3)
        _ = try? memory.load(address, as: UInt8.self)
        _ = try? memory.load(address, as: UInt64.self)
        _ = try? memory.load(address, as: SIMD4<UInt64>.self)
        _ = try? memory.store(count, at: address)
        _ = try? memory.store(SIMD4<UInt64>(repeating: count), at: address)
        _ = try? memory.compareExchange(address, expected: count, desired: 1)
        _ = try? memory.compareExchange(address, expected: Int8(truncatingIfNeeded: count), desired: -1)
        _ = try? memory.compareExchange(address, expected: UInt128(count), desired: 1)
        _ = try? memory.probe(address, count: count, for: .writing)
        _ = try? memory.deviceAddress(of: address, count: count)
        _ = memory.contains(address, count: count)
        attemptLocks(memory, address, count)
        attemptPages(memory, raw, count, target)
        if let range = AddressRange(start: address, count: count), let part = try? memory.subrange(range) {
            _ = try? part.load(GuestAddress(count), as: UInt16.self)
            _ = try? part.load(GuestAddress(.max), as: UInt16.self)
            _ = try? part.read(GuestAddress(0 &- raw), count: 2)
        }
    }

    private func attemptLocks(_ memory: GuestMemory, _ address: GuestAddress, _ count: UInt64) {
        for purpose in [GuestMemory.Purpose.reading, .writing] {
            do { _ = try memory.lock(address, count: count, for: purpose) } catch {}
            do { _ = try memory.lock(frames: [address.frame, count, count &+ 1], for: purpose) } catch {}
        }
    }

    private func attemptPages(
        _ memory: GuestMemory, _ raw: UInt64, _ count: UInt64, _ buffer: UnsafeMutableRawBufferPointer
    ) {
        let lists = [[raw >> 12], [raw >> 12, count >> 12, raw], [count >> 12, (count >> 12) + 1], []]
        for frames in lists {
            for length in [count, count & 0x1fff, UInt64(frames.count) << 12] {
                guard let pages = PagedRange(frames: frames, offset: raw & 0x1fff, count: length) else { continue }
                _ = try? memory.read(pages, into: buffer)
                _ = try? memory.fill(pages, with: 1)
                _ = try? memory.write(UnsafeRawBufferPointer(buffer), to: pages)
                let fitting = UnsafeRawBufferPointer(start: buffer.baseAddress, count: Int(length))
                _ = try? memory.write(fitting, to: pages)
            }
        }
    }

    @Test("A negative number of bytes is an error")
    func negative() throws {
        let memory = try AccessMemory.make(pages: 1)
        for count in [-1, -4096, .min] {
            let error = try AccessMemory.failure { _ = try memory.read(GuestAddress(8), count: count) }
            #expect(error.kind == .negativeCount)
            #expect(error.count == 0)
        }
    }

    @Test("More than the host can have is not read into an array, however much memory there is")
    func tooLongForAnArray() throws {
        // Nothing of it is mapped.
        let count: UInt64 = 1 << 42
        let space = try SparseMapping(byteCount: count)
        let memory = try AccessMemory.make([AccessMemory.region(0, space)])
        let limit = GuestMemory.longestArray
        for count in [Int(count), Int(count) - 1, limit + 1] {
            let error = try AccessMemory.failure { _ = try memory.read(GuestAddress(0), count: count) }
            #expect(error.kind == .tooLong(limit: UInt64(limit)))
            #expect(error.count == UInt64(count))
            #expect(error.failing == GuestAddress(0))
        }
        let past = try AccessMemory.failure { _ = try memory.read(GuestAddress(1), count: Int(count)) }
        #expect(past.kind == .notMapped)
        let calls = try AccessMemory.failure { _ = try makeEndless().read(GuestAddress(0x1000), count: .max) }
        #expect(calls.kind == .tooLong(limit: UInt64(limit)))
        let hole = try AccessMemory.failure { _ = try memory.read(GuestAddress(0), count: 0x1000) }
        #expect(hole.kind == .fault(.protected))
        try space.map(offset: 0, count: UInt64(limit), .anonymous)
        try memory.store(7 as UInt8, at: GuestAddress(UInt64(limit) - 1))
        let longest = try memory.read(GuestAddress(0), count: limit)
        #expect(longest.count == limit && longest.last == 7)
    }

    @Test("A range that passes 2^64 fails where memory ends first")
    func pastEnd() throws {
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1)),
            AccessMemory.region(0xffff_ffff_ffff_f000, AccessPages(pages: 1)),
        ])
        let wide = try AccessMemory.failure { try memory.fill(GuestAddress(0xff8), count: .max, with: 1) }
        #expect(wide.kind == .notMapped)
        #expect(wide.failing == GuestAddress(0x1000))
        #expect(wide.count == .max)
        let last = try AccessMemory.failure { _ = try memory.read(GuestAddress(.max), count: 2) }
        #expect(last.kind == .outOfBounds(last: .max))
        #expect(last.failing == GuestAddress(.max))
        let huge = try AccessMemory.failure { _ = try memory.read(GuestAddress(0x800), count: .max) }
        #expect(huge.failing == GuestAddress(0x1000))
    }

    /// Nothing has that many bytes: what is written is forgotten, and what is read is the offset.
    private final class Endless: GuestMemoryAccess {
        var mapping: UnsafeMutableRawPointer? { nil }
        var byteCount: UInt64 { .max }
        let baseIOVA: UInt64? = 0x1000

        func readFallback(offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryBackingError) {
            if buffer.count <= 4096 {
                buffer.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: offset))
            }
        }

        func fillFallback(offset: UInt64, count: UInt64, with value: UInt8) throws(GuestMemoryBackingError) {}

        func compareExchangeFallback(
            offset: UInt64, size: Int, expected: UInt64, desired: UInt64
        ) throws(GuestMemoryBackingError) -> UInt64 { expected }
    }

    /// All addresses but those of the first page: a length of 2^64 no backing can state.
    private func makeEndless() throws -> GuestMemory {
        let range = try MemoryRange(from: GuestAddress(0x1000), through: GuestAddress(.max))
        return try AccessMemory.make([MemoryRegion(range, Endless(), bitmap: AccessPageSet())])
    }

    @Test("A region of almost all addresses is accessed up to the last one")
    func everything() throws {
        let memory = try makeEndless()
        #expect(try memory.load(GuestAddress(.max)) as UInt8 == 0xff)
        #expect(try memory.load(GuestAddress(.max - 7)) as UInt64 == 0xf8f8_f8f8_f8f8_f8f8)
        #expect(throws: GuestMemoryError.self) { try memory.load(GuestAddress(.max - 6), as: UInt64.self) }
        #expect(try memory.compareExchange(GuestAddress(.max), expected: -1 as Int8, desired: 5).exchanged)
        #expect(memory.isDirty(.max))
        #expect(memory.contains(GuestAddress(0x1000), count: .max - 0xfff))
        try memory.probe(GuestAddress(.max - 5000), count: 5001, for: .writing)
        try memory.fill(GuestAddress(1 << 62), count: 9000, with: 1)
        let tooLong = try AccessMemory.failure { try memory.fill(GuestAddress(0x1000), count: .max - 0xfff, with: 1) }
        #expect(tooLong.kind == .backing(.notSupported))
        #expect(try memory.deviceAddress(of: GuestAddress(0x2000), count: 1) == 0x2000)
        #expect(memory.fullMapping == nil)
    }

    @Test("A part of almost all addresses has its last byte, too")
    func part() throws {
        let memory = try makeEndless()
        let part = try memory.subrange(#require(AddressRange(from: GuestAddress(0x1001), through: GuestAddress(.max))))
        #expect(try part.load(GuestAddress(.max - 0x1001)) as UInt8 == 0xff)
        #expect(throws: GuestMemoryError.self) { try part.load(GuestAddress(.max - 0x1000), as: UInt8.self) }
        let whole = AddressRange(MemoryRange.whole)
        #expect(try AccessMemory.failure { _ = try part.subrange(whole) }.kind == .outOfBounds(last: .max - 0x1001))
        #expect(try AccessMemory.failure { _ = try memory.subrange(whole) }.kind == .notMapped)
    }
}
