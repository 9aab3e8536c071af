import Glibc
import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory

private let page: UInt64 = 4096

@Suite("Sparse mappings with many threads", .timeLimit(.minutes(10)))
struct SparseMappingRaceTests {
    @Test("No thread's mmap is given an address in the reservation while it changes")
    func noHoles() throws {
        let sparse = try SparseMapping(byteCount: 64 * page)
        let range = UInt(bitPattern: sparse.baseAddress)..<UInt(bitPattern: sparse.baseAddress) + UInt(64 * page)
        let intrusions = SharedNumber()
        let failures = SharedNumber()
        let changer = { @Sendable in
            for round in 0..<3000 as Range<UInt64> {
                let offset = round % 16 * 4 * page
                let error = refusal {
                    try sparse.map(offset: offset, count: 4 * page, .anonymous)
                    try sparse.map(offset: offset + page, count: page, .anonymous, replacing: true)
                    try sparse.unmap(offset: offset, count: 4 * page)
                }
                if error != nil { failures.add(1) }
            }
        }
        let intruder = { @Sendable in
            for _ in 0..<6000 {
                guard let base = mmap(nil, 4 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), base != MAP_FAILED
                else { continue }
                if range.contains(UInt(bitPattern: base)) { intrusions.add(1) }
                munmap(base, 4 * 4096)
            }
        }
        TestThread.runTogether([changer, intruder])
        #expect(intrusions.value == 0)
        #expect(failures.value == 0)
        #expect(sparse.pieces.isEmpty)
    }

    @Test("Pages that are found mapped under a lock stay mapped until they are unlocked")
    func locksHold() throws {
        let sparse = try SparseMapping(byteCount: 16 * page)
        let used = SharedNumber()
        let unmapped = SharedNumber()
        let finished = SharedNumber()
        let changer = { @Sendable in
            let deadline = ContinuousClock.now + .seconds(60)
            // Until both have had their way often enough.
            while used.value < 200 || unmapped.value < 200, ContinuousClock.now < deadline {
                let error = refusal {
                    try sparse.map(offset: 0, count: 16 * page, .anonymous, replacing: true)
                    try sparse.unmap(offset: 4 * page, count: 8 * page, waitingUpTo: .milliseconds(5))
                }
                if error == nil { unmapped.add(1) }
            }
            finished.add(1)
        }
        let users = (0..<2).map { seed in
            { @Sendable in
                var random = SeededGenerator(seed: UInt64(seed))
                while finished.value == 0 {
                    let offset = UInt64.random(in: 0..<15, using: &random) * page
                    let address = sparse.baseAddress + Int(offset)
                    guard refusal(of: { try sparse.lock(offset: offset, count: page) }) == nil else { return }
                    if Access.canRead(address) {
                        // Were it unmapped now, this would end the process. Each user has bytes of its own.
                        for byte in stride(from: 8 + 8 * seed, to: 4096, by: 64) {
                            (address + byte).storeBytes(of: UInt8(seed), as: UInt8.self)
                        }
                        used.add(1)
                    }
                    guard refusal(of: { try sparse.unlock(offset: offset, count: page) }) == nil else { return }
                    usleep(50)
                }
            }
        }
        TestThread.runTogether(users + [changer])
        #expect(used.value >= 200 && unmapped.value >= 200)
        #expect(try sparse.isLocked(offset: 0, count: 16 * page) == false)
    }

    @Test("Changes by several threads, each in its own part, leave what each made")
    func disjointChanges() throws {
        let sparse = try SparseMapping(byteCount: 4 * 16 * page)
        let file = SharedMemoryFile(try MemoryFile(memfd: "races", byteCount: 4 * 16 * page))
        let failures = SharedNumber()
        let changers = (0..<4 as Range<UInt64>).map { part in
            { @Sendable in
                let start = part * 16 * page
                for _ in 0..<300 {
                    let error = refusal {
                        try sparse.map(offset: start, count: 16 * page, .file(file, .shared), backingOffset: start)
                        memset(sparse.baseAddress + Int(start), CInt(part) + 1, 16 * 4096)
                        try sparse.protect(offset: start, count: 8 * page, .readOnly)
                        try sparse.decommit(offset: start + page, count: page)
                        try sparse.map(offset: start + 4 * page, count: page, .anonymous, replacing: true)
                        try sparse.unmap(offset: start + 8 * page, count: 8 * page)
                        try sparse.unmap(offset: start, count: 8 * page)
                    }
                    if error != nil { failures.add(1) }
                }
                let error = refusal {
                    try sparse.map(offset: start, count: 16 * page, .file(file, .shared), backingOffset: start)
                }
                if error != nil { failures.add(1) }
            }
        }
        TestThread.runTogether(changers)
        #expect(failures.value == 0)
        #expect(sparse.pieces.map(\.range) == [0..<64 * page])
        for part in 0..<4 {
            let first = part * 16
            let bytes = [first, first + 1, first + 2, first + 15].map {
                sparse.baseAddress.load(fromByteOffset: $0 * 4096, as: UInt8.self)
            }
            #expect(bytes == [UInt8(part + 1), 0, UInt8(part + 1), UInt8(part + 1)])
        }
    }
}
