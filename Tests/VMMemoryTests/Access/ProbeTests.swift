import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMMemory

@Suite("Probing memory", .timeLimit(.minutes(10)))
struct ProbeTests {
    private func makeMemory(_ protections: [CInt]) throws -> GuestMemory {
        let pages = try AccessPages(pages: protections.count)
        for (page, protection) in protections.enumerated() { pages.protect(page..<(page + 1), protection) }
        return try AccessMemory.make([AccessMemory.region(0x1000, pages, bitmap: AccessPageSet())])
    }

    @Test("The first page that cannot be accessed for the purpose is reported")
    func exact() throws {
        let both = PROT_READ | PROT_WRITE
        let memory = try makeMemory([both, both, PROT_READ, both, PROT_NONE, both])
        try memory.probe(GuestAddress(0x1234), count: 0x3dcc, for: .reading)
        let reading = try AccessMemory.failure { try memory.probe(GuestAddress(0x1234), count: 0x3dcd, for: .reading) }
        #expect(reading.operation == .probe)
        #expect(reading.kind == .fault(.protected))
        #expect(reading.failing == GuestAddress(0x5000))
        #expect(reading.completed == 0x5000 - 0x1234)
        #expect(reading.address == GuestAddress(0x1234))
        #expect(reading.count == 0x3dcd)
        try memory.probe(GuestAddress(0x1000), count: 0x2000, for: .writing)
        let writing = try AccessMemory.failure { try memory.probe(GuestAddress(0x2fff), count: 0x3000, for: .writing) }
        #expect(writing.kind == .fault(.protected))
        #expect(writing.failing == GuestAddress(0x3000))
        #expect(writing.completed == 1)
        try memory.probe(GuestAddress(0x6fff), count: 1, for: .writing)
        let missing = try AccessMemory.failure { try memory.probe(GuestAddress(0x1000), count: 0x6001, for: .reading) }
        #expect(missing.kind == .notMapped)
        #expect(missing.failing == GuestAddress(0x7000))
    }

    @Test("The page of a list that cannot be accessed is reported, and how much of the list lies before")
    func pages() throws {
        let memory = try makeMemory([PROT_READ | PROT_WRITE, PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE])
        try memory.probe(#require(PagedRange(frames: [4, 1, 1], offset: 8, count: 0x2008)), for: .writing)
        let readable = try #require(PagedRange(frames: [4, 3, 1], offset: 0x800, count: 0x1801))
        try memory.probe(readable, for: .reading)
        let error = try AccessMemory.failure { try memory.probe(readable, for: .writing) }
        #expect(error.kind == .fault(.protected))
        #expect(error.failing == GuestAddress(0x3000))
        #expect(error.completed == 0x800)
        #expect(error.address == GuestAddress(0x4800))
        #expect(error.count == 0x1801)
        let missing = try #require(PagedRange(frames: [1, 5], count: 0x2000))
        #expect(throws: GuestMemoryError.self) { try memory.probe(missing, for: .reading) }
    }

    @Test("Contents stay as they are", arguments: AccessMemoryKind.allCases)
    func contents(_ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        let bytes = AccessMemory.pattern(contract.count)
        try contract.memory.write(bytes, at: GuestAddress(contract.start))
        for purpose in [GuestMemory.Purpose.reading, .writing] {
            try contract.memory.probe(GuestAddress(contract.start), count: UInt64(contract.count), for: purpose)
            #expect(try contract.contents == bytes)
        }
        #expect(throws: GuestMemoryError.self) {
            try contract.memory.probe(GuestAddress(contract.last), count: 2, for: .reading)
        }
    }

    @Test("A probe takes nothing back that others write meanwhile", arguments: [AccessMemoryKind.oneRegion, .calls])
    func race(_ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        let memory = contract.memory
        let address = GuestAddress(contract.start)
        let signal = AccessSignal()
        try onThreads([
            {
                defer { signal.end() }
                for round in 0..<4000 {
                    let value = UInt8(truncatingIfNeeded: round)
                    try memory.store(value, at: address)
                    guard try memory.load(address) as UInt8 == value else {
                        throw AccessFailure("what was stored in round \(round) is gone")
                    }
                }
            },
            { while signal.isRunning { try memory.probe(address, count: 1, for: .writing) } },
        ])
    }
}
