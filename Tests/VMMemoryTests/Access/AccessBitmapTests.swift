import Glibc
import Synchronization
import TestSupport
import Testing
import VMAddressSpace
import VMDirtyBitmap

@testable import VMMemory

@Suite("Access bitmaps", .timeLimit(.minutes(10)))
struct AccessBitmapTests {
    /// Sixteen pages with the bits of an access bitmap of the test's own, for reading and writing alike.
    private final class Bits: GuestMemoryAccess, @unchecked Sendable {
        // SAFETY: the words are atomics that only `deinit` frees.
        let pages: AccessPages
        private let words: UnsafeMutablePointer<Atomic<UInt64>>
        private let firstBit: UInt64
        private let wordCount: Int

        /// - Parameter allowed: pages; all bits that stand for none are clear.
        init(firstBit: UInt64, allowed: Set<Int>) throws {
            pages = try AccessPages(pages: 16)
            self.firstBit = firstBit
            wordCount = Int(firstBit) / 64 + 2
            words = .allocate(capacity: wordCount)
            for index in 0..<wordCount { (words + index).initialize(to: Atomic(0)) }
            for page in 0..<16 where !allowed.contains(page) {
                let bit = Int(firstBit) + page
                words[bit / 64].bitwiseOr(1 << (bit % 64), ordering: .relaxed)
            }
        }

        deinit { words.deinitialize(count: wordCount).deallocate() }

        var mapping: UnsafeMutableRawPointer? { pages.base }
        var byteCount: UInt64 { pages.byteCount }
        var accessBitmap: AccessBitmap? {
            AccessBitmap(unreadable: UnsafePointer(words), unwritable: UnsafePointer(words), firstBit: firstBit)
        }
    }

    @Test("The bit of the first page can be any", arguments: (0...63 as ClosedRange<UInt64>).map { $0 } + [64, 130])
    func firstBit(_ firstBit: UInt64) throws {
        let allowed: Set = [0, 2, 3, 15]
        let memory = try AccessMemory.make([AccessMemory.region(0, Bits(firstBit: firstBit, allowed: allowed))])
        for page in 0..<16 {
            for offset in [0, 4095] as [UInt64] {
                let address = GuestAddress(UInt64(page) << 12 + offset)
                let isRead = (try? memory.load(address, as: UInt8.self)) != nil
                let isWritten = (try? memory.store(1 as UInt8, at: address)) != nil
                #expect(isRead == allowed.contains(page) && isWritten == allowed.contains(page))
            }
        }
    }

    @Test("An access goes up to the first page that is forbidden", arguments: [0, 1, 60, 63])
    func exact(_ firstBit: UInt64) throws {
        let memory = try AccessMemory.make([
            AccessMemory.region(0x1_0000, Bits(firstBit: firstBit, allowed: [0, 1, 2]))
        ])
        for error in [
            try AccessMemory.failure { _ = try memory.read(GuestAddress(0x1_0800), count: 0x4000) },
            try AccessMemory.failure { try memory.fill(GuestAddress(0x1_0800), count: 0x4000, with: 1) },
        ] {
            #expect(error.kind == .notPermitted)
            #expect(error.failing == GuestAddress(0x1_3000))
            #expect(error.completed == 0x2800)
        }
        #expect(try memory.available(0x1_2ffe, 100) == [1, 1])
        #expect(try memory.writeAvailable([7, 8, 9], 0x1_2fff) == 1)
    }

    @Test("Bits go by offset in the backing, not in the region")
    func offset() throws {
        let bits = try Bits(firstBit: 5, allowed: [4])
        let range = try AccessMemory.range(0, 0x3000)
        let memory = try AccessMemory.make([MemoryRegion(range, bits, offset: 0x3000, bitmap: AccessPageSet())])
        #expect(throws: GuestMemoryError.self) { try memory.load(GuestAddress(0xfff), as: UInt8.self) }
        #expect(try memory.load(GuestAddress(0x1000)) as UInt8 == 0)
        #expect(throws: GuestMemoryError.self) { try memory.store(0 as UInt8, at: GuestAddress(0x2000)) }
    }

    @Test("Where there are bits for one kind of access alone, the other is free")
    func oneKind() throws {
        final class Free: GuestMemoryAccess, @unchecked Sendable {
            // SAFETY: everything is constant.
            let pages: AccessPages
            let none: PagePermissions
            let restrictsWrites: Bool

            init(restrictsWrites: Bool) throws {
                pages = try AccessPages(pages: 1)
                none = try PagePermissions(byteCount: 4096)
                none.set([], offset: 0, count: 4096)
                self.restrictsWrites = restrictsWrites
            }

            var mapping: UnsafeMutableRawPointer? { pages.base }
            var byteCount: UInt64 { 4096 }
            var accessBitmap: AccessBitmap? {
                let all = none.accessBitmap
                return AccessBitmap(
                    unreadable: restrictsWrites ? nil : all.unreadable,
                    unwritable: restrictsWrites ? all.unwritable : nil)
            }
        }
        let memory = try AccessMemory.make([
            AccessMemory.region(0, Free(restrictsWrites: true)),
            AccessMemory.region(0x1000, Free(restrictsWrites: false)),
        ])
        #expect(try memory.load(GuestAddress(0)) as UInt8 == 0)
        #expect(throws: GuestMemoryError.self) { try memory.store(1 as UInt8, at: GuestAddress(0)) }
        try memory.store(1 as UInt8, at: GuestAddress(0x1000))
        #expect(throws: GuestMemoryError.self) { try memory.load(GuestAddress(0x1000), as: UInt8.self) }
    }

    @Test("Rights are set by the page, and nothing past the end is touched")
    func permissions() throws {
        let permissions = try PagePermissions(byteCount: 0x8_0000)
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 0x80, permissions: permissions))
        ])
        let (all, none): (PagePermissions.Rights, PagePermissions.Rights) = ([.read, .write], [])
        func rights(_ page: UInt64) -> PagePermissions.Rights {
            var rights: PagePermissions.Rights = []
            if (try? memory.load(GuestAddress(page << 12), as: UInt8.self)) != nil { rights.insert(.read) }
            if (try? memory.store(0 as UInt8, at: GuestAddress(page << 12))) != nil { rights.insert(.write) }
            return rights
        }
        #expect((0..<0x80).allSatisfy { rights($0) == all })
        permissions.set(.read, offset: 0x3_ffff, count: 2)
        #expect([0x3e, 0x3f, 0x40, 0x41].map(rights) == [all, .read, .read, all])
        permissions.set(.write, offset: 0x4_0fff, count: 1)
        #expect([0x3f, 0x40, 0x41].map(rights) == [.read, .write, all])
        permissions.set([], offset: 0x7_e001, count: .max)
        #expect([0x7d, 0x7e, 0x7f].map(rights) == [all, none, none])
        permissions.set([.read, .write], offset: 1, count: .max)
        #expect((0..<0x80).allSatisfy { rights($0) == all })
        let outside: [(UInt64, UInt64)] = [(0, 0), (0x8_0000, 1), (.max, .max), (1 << 63, 1 << 63)]
        for (offset, count) in outside {
            permissions.set([], offset: offset, count: count)
        }
        #expect((0..<0x80).allSatisfy { rights($0) == all })
        try PagePermissions(byteCount: 0).set([], offset: 0, count: 1)
    }

    @Test("Rights to 64 TiB cost memory where pages are restricted alone")
    func lazy() throws {
        let permissions = try PagePermissions(byteCount: 1 << 46)
        let (fresh, restricted): (Int, Int)
        fresh = try permissions.storage.residentByteCount()
        permissions.set(.read, offset: 1 << 45, count: 1 << 20)
        // A page of bits, which the host may have made a huge one.
        restricted = try permissions.storage.residentByteCount()
        #expect(fresh == 0)
        #expect((1...2 << 20).contains(restricted))
        let bits = permissions.accessBitmap
        let allowed = [false, true].map { bits.allowedPrefix(1 << 44, 1 << 45, isWrite: $0) }
        #expect(allowed == [1 << 45, 1 << 44])
        #expect(bits.allowedPrefix(1 << 45 - 1, 2, isWrite: true) == 1)
        #expect(bits.allowedPrefix(1 << 45 + 1 << 20, 1 << 44, isWrite: true) == 1 << 44)
    }

    @Test("Rights are those of a list of pages, whatever ranges they were set for", arguments: 0..<4 as Range<UInt64>)
    func model(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pageCount = 300
        let permissions = try PagePermissions(byteCount: UInt64(pageCount) << 12)
        let bits = permissions.accessBitmap
        var model = [PagePermissions.Rights](repeating: [.read, .write], count: pageCount)
        for _ in 0..<200 {
            let first = Int.random(in: 0..<pageCount, using: &random)
            let pages = first..<Int.random(in: (first + 1)...pageCount, using: &random)
            let rights = PagePermissions.Rights(rawValue: UInt8.random(in: 0...3, using: &random))
            permissions.set(rights, offset: UInt64(first) << 12 + 0xfff, count: UInt64(pages.count - 1) << 12 + 1)
            for page in pages { model[page] = rights }
            let start = Int.random(in: 0..<pageCount, using: &random)
            for (kind, isWrite) in [(PagePermissions.Rights.read, false), (.write, true)] {
                let end = model[start...].firstIndex { !$0.contains(kind) } ?? pageCount
                let found = bits.allowedPrefix(UInt64(start) << 12, UInt64(pageCount - start) << 12, isWrite: isWrite)
                #expect(found == UInt64(end - start) << 12)
            }
        }
    }

    @Test("Synchronize waits for an access that saw the old rights")
    func waiting() throws {
        let permissions = try PagePermissions(byteCount: 0x1000)
        let signal = AccessSignal()
        // Marking is part of the access.
        let slow = AccessSlowMarks {
            signal.epoch.store(1, ordering: .releasing)
            usleep(50_000)
            signal.epoch.store(2, ordering: .releasing)
        }
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1, permissions: permissions), bitmap: slow)
        ])
        try onThreads([
            { try memory.store(1 as UInt64, at: GuestAddress(0)) },
            {
                while signal.epoch.load(ordering: .acquiring) == 0 { sched_yield() }
                permissions.set([], offset: 0, count: 0x1000)
                try memory.map.synchronize()
                if signal.epoch.load(ordering: .acquiring) != 2 { throw AccessFailure("an access was under way") }
            },
        ])
        #expect(throws: GuestMemoryError.self) { try memory.store(1 as UInt64, at: GuestAddress(0)) }
    }

    @Test("After synchronize no access that saw the old rights is under way")
    func barrier() throws {
        let permissions = try PagePermissions(byteCount: 0x8_0000)
        let hostFaults = AccessSignal()
        let pages = try AccessPages(pages: 128, permissions: permissions) { _, _, fault in
            if case .host = fault.cause { hostFaults.end() }
            return .fail(nil)
        }
        let memory = try AccessMemory.make([AccessMemory.region(0, pages, bitmap: AccessPageSet())])
        let signal = AccessSignal()
        // Long ones above all: they are under way most of the time.
        let accesses: [@Sendable (UInt64) throws -> Void] = [
            { _ in _ = try memory.load(GuestAddress(0x10), as: UInt64.self) },
            { try memory.store($0, at: GuestAddress(0x20)) },
            { try memory.fill(GuestAddress(0x800), count: 0x7_0000, with: UInt8(truncatingIfNeeded: $0)) },
            { _ = try memory.compareExchange(GuestAddress(0x30), expected: $0, desired: $0 + 1) },
            { _ in _ = try memory.read(GuestAddress(0xf00), count: 0x200) },
        ]
        let users: [@Sendable () throws -> Void] = accesses.map { access in { try use(access, until: signal) } }
        let restricter: @Sendable () throws -> Void = {
            defer { signal.end() }
            for _ in 0..<100 {
                permissions.set([], offset: 0, count: 0x8_0000)
                try memory.map.synchronize()
                signal.epoch.wrappingAdd(1, ordering: .releasing)
                // What those do who take memory away: an access still under way would fault.
                pages.protect(0..<128, PROT_NONE)
                sched_yield()
                pages.protect(0..<128, PROT_READ | PROT_WRITE)
                signal.epoch.wrappingAdd(1, ordering: .releasing)
                permissions.set([.read, .write], offset: 0, count: 0x8_0000)
                sched_yield()
            }
        }
        try onThreads(users + [restricter])
        #expect(hostFaults.isRunning, "an access was under way after synchronize")
        #expect(pages.faultCount.load(ordering: .relaxed) > 0)
    }

    /// Accesses until the signal, none of which may succeed while the epoch stays odd.
    private func use(_ access: (UInt64) throws -> Void, until signal: AccessSignal) throws {
        var count: UInt64 = 0
        while signal.isRunning {
            let before = signal.epoch.load(ordering: .acquiring)
            let isDone = (try? access(count)) != nil
            let after = signal.epoch.load(ordering: .acquiring)
            if isDone, before == after, before % 2 == 1 {
                throw AccessFailure("an access succeeded after the rights were gone")
            }
            count += 1
        }
    }
}

/// A bitmap whose marks take time, and are not kept.
private struct AccessSlowMarks: BitmapSlice {
    let mark: @Sendable () -> Void

    init(_ mark: @escaping @Sendable () -> Void) {
        self.mark = mark
    }

    func markDirty(offset: UInt64, count: UInt64) { mark() }
    func isDirty(at offset: UInt64) -> Bool { false }
    func slice(at offset: UInt64) -> AccessSlowMarks { self }
}
