import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMDirtyBitmap
import VMHost
import VMMemory

@Suite("What accesses mark as written", .timeLimit(.minutes(10)))
struct DirtyMarkingTests {
    /// Every kind of write, of two bytes or more at an address.
    private static let writes: [(name: String, body: @Sendable (GuestMemory, GuestAddress) throws -> Void)] = [
        ("write", { try $0.write([1, 2], at: $1) }), ("store of 2", { try $0.store(1 as UInt16, at: $1) }),
        ("store of 8", { try $0.store(1 as UInt64, at: $1) }),
        ("store of 32", { try $0.store(SIMD4<UInt64>(1, 2, 3, 4), at: $1) }),
        ("fill", { try $0.fill($1, count: 3, with: 1) }),
        ("writeAvailable", { _ = try $0.writeAvailable([1, 2, 3], $1.rawValue) }),
        (
            "write to pages",
            { memory, address in
                let frames = [address.frame, address.frame + 1]
                try memory.write([1, 2], to: PagedRange(frames: frames, offset: address.rawValue & 0xfff, count: 2)!)
            }
        ),
        (
            "lock",
            { memory, address in
                let locked = try memory.lock(address, count: 2, for: .writing)
                locked.withBytes(ofPiece: 0) { $0[0] = 1 }
            }
        ),
        ("probe", { try $0.probe($1, count: 2, for: .writing) }),
    ]

    private func check(_ bitmap: some Bitmap, isKept: Bool) throws {
        for (name, write) in Self.writes {
            for address in [0x1000, 0x1ff0, 0x2fff, 0x0fff] as [UInt64] {
                let fresh = try AtomicBitmap(byteCount: 0x5000)
                // A new bitmap each time, of the type to test.
                let memory: GuestMemory
                switch bitmap {
                case is AtomicBitmap: memory = try makeMemory(fresh)
                case is AtomicBitmap?: memory = try makeMemory(isKept ? Optional(fresh) : nil)
                case is AccessPageSet: memory = try makeMemory(AccessPageSet())
                default: memory = try makeMemory(bitmap)
                }
                try write(memory, GuestAddress(address))
                let dirty = (0..<5 as Range<UInt64>).filter { memory.isDirty($0 << 12) }
                let touched = Set([address >> 12, (address + 1) >> 12])
                #expect(touched.isSubset(of: dirty) == isKept, "\(name) at \(address)")
                #expect(Set(dirty).isSubset(of: Set([address >> 12, (address + 31) >> 12])), "\(name) at \(address)")
            }
        }
    }

    private func makeMemory(_ bitmap: some Bitmap) throws -> GuestMemory {
        try AccessMemory.make([AccessMemory.region(0, AccessPages(pages: 5), bitmap: bitmap)])
    }

    @Test("Each write marks the pages it touches and no others, in every bitmap that keeps marks")
    func kinds() throws {
        try check(AtomicBitmap(byteCount: 0x5000), isKept: true)
        try check(Optional(AtomicBitmap(byteCount: 0x5000)), isKept: true)
        try check(AtomicBitmap?.none, isKept: false)
        try check(AccessPageSet(), isKept: true)
        try check(NoBitmap(), isKept: false)
    }

    @Test("A write across regions marks each by its own offsets")
    func regions() throws {
        let (lower, upper) = (try AtomicBitmap(byteCount: 0x2000), AccessPageSet())
        let memory = try AccessMemory.make([
            AccessMemory.region(0x8000, AccessPages(pages: 2), bitmap: lower),
            AccessMemory.region(0xa000, AccessPages(pages: 2), bitmap: upper),
        ])
        try memory.fill(GuestAddress(0x9ff0), count: 0x20, with: 1)
        #expect(!lower.isDirty(at: 0) && lower.isDirty(at: 0x1000))
        #expect(upper.isDirty(at: 0) && !upper.isDirty(at: 0x1000))
    }

    @Test("A bitmap of larger pages is marked by its pages")
    func largerPages() throws {
        let bitmap = try AtomicBitmap(byteCount: 0x5000, pageSize: 0x4000)
        let memory = try makeMemory(bitmap)
        try memory.store(1 as UInt8, at: GuestAddress(0x4000))
        #expect(!bitmap.isDirty(at: 0x3fff) && bitmap.isDirty(at: 0x4fff))
    }

    /// Tells a test of each mark.
    private struct Watching: BitmapSlice {
        let onMark: @Sendable (_ offset: UInt64) -> Void

        func markDirty(offset: UInt64, count: UInt64) { onMark(offset) }
        func isDirty(at offset: UInt64) -> Bool { false }
        func slice(at offset: UInt64) -> Watching { self }
    }

    private final class Contents: Sendable {
        let atLastMark = Monitor<[UInt8]>([])
    }

    @Test("What is written before a fault is marked after all of it is there", arguments: 1...80)
    func markedLast(_ count: Int) throws {
        let pages = try AccessPages(pages: 2)
        let contents = Contents()
        let watching = Watching { offset in
            if offset < 4096 { contents.atLastMark.withLock { $0 = Array(pages.bytes[..<4096]) } }
        }
        let memory = try AccessMemory.make([AccessMemory.region(0, pages, bitmap: watching)])
        let address = GuestAddress(UInt64(4096 - count))
        // So that `pages.bytes` can be had, the second page can be read.
        pages.protect(1..<2, PROT_READ)
        let error = try AccessMemory.failure { try memory.write(AccessMemory.pattern(count + 100), at: address) }
        #expect(error.completed == UInt64(count))
        let expected = [UInt8](repeating: 0, count: 4096 - count) + AccessMemory.pattern(count)
        #expect(try memory.read(GuestAddress(0), count: 4096) == expected)
        #expect(contents.atLastMark.withLock { $0 } == expected)
    }

    @Test("A write is done once, also where marking takes a call")
    func writtenOnce() throws {
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1), bitmap: AccessPageSet()),
            AccessMemory.region(0x1000, AccessPages(pages: 1), bitmap: AccessPageSet()),
        ])
        let (rounds, address) = (4000 as UInt64, GuestAddress(0x40))
        let signal = AccessSignal()
        // One stores a value and waits for it to be taken away; were it written twice, it could be taken twice.
        try onThreads([
            {
                defer { signal.end() }
                for round in 1...rounds {
                    if round % 2 == 0 {
                        try memory.store(round, at: address)
                    } else {
                        try memory.write(withUnsafeBytes(of: round) { [UInt8]($0) }, at: address)
                    }
                    while try memory.load(address) as UInt64 != 0 { sched_yield() }
                }
            },
            {
                while signal.isRunning {
                    let value = try memory.load(address, as: UInt64.self)
                    if value != 0, try memory.compareExchange(address, expected: value, desired: 0).exchanged {
                        signal.epoch.wrappingAdd(1, ordering: .relaxed)
                    }
                }
            },
        ])
        #expect(signal.epoch.load(ordering: .relaxed) == Int(rounds))
    }

    /// As a migration does: harvest, then copy what was dirty; the last time with the writers stopped.
    @Test("A harvester that races the writers ends with a true copy", arguments: [1, 2])
    func harvest(_ regionCount: Int) throws {
        let pageCount = 32
        let bitmaps = try (0..<regionCount).map { _ in try AtomicBitmap(byteCount: UInt64(pageCount) * 4096) }
        let memory = try AccessMemory.make(
            bitmaps.enumerated().map {
                try AccessMemory.region(UInt64($0 * pageCount) * 4096, AccessPages(pages: pageCount), bitmap: $1)
            })
        let copy = try AccessMemory.make(pages: pageCount * regionCount)
        let byteCount = pageCount * regionCount * 4096
        let signal = AccessSignal()
        @Sendable func harvest() throws {
            for (index, bitmap) in bitmaps.enumerated() {
                var runs: [Range<UInt64>] = []
                bitmap.harvest(AtomicBitmap.allPages) { runs.append($0) }
                for page in runs.joined() {
                    let address = GuestAddress((UInt64(index * pageCount) + page) * 4096)
                    try copy.write(memory.read(address, count: 4096), at: address)
                }
            }
        }
        let writers: [@Sendable () throws -> Void] = (0..<2).map { thread in
            {
                var random = SeededGenerator(seed: UInt64(thread))
                for round in 0..<3000 {
                    let address = GuestAddress(UInt64.random(in: 0..<UInt64(byteCount - 8200), using: &random))
                    switch round % 4 {
                    case 0: try memory.store(random.next(), at: address)
                    case 1: try memory.fill(address, count: random.next() % 8192, with: UInt8(round & 0xff))
                    case 2: try memory.write(AccessMemory.pattern(100, seed: round), at: address)
                    default:
                        let aligned = GuestAddress(address.rawValue & ~7)
                        _ = try memory.compareExchange(aligned, expected: memory.load(aligned), desired: random.next())
                    }
                }
                signal.epoch.wrappingAdd(1, ordering: .releasing)
            }
        }
        try onThreads(
            writers + [{ while signal.epoch.load(ordering: .acquiring) < 2 { try harvest() } }])
        try harvest()
        #expect(try copy.read(GuestAddress(0), count: byteCount) == memory.read(GuestAddress(0), count: byteCount))
    }
}
