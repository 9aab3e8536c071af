import KVM
import Synchronization
import TestSupport
import Testing
import VMAddressSpace
import VMBoot
import VMDirtyTracking
import VMMemory
import VMRegions

@testable import VMMachine

/// A partition over slots in the kernel, with a vCPU in real mode beside it.
@Suite(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .timeLimit(.minutes(10)))
struct KVMPartitionTests {
    /// What dirty logs had, as page frame numbers.
    private final class DirtyPages: DirtyPageSink {
        private let pages = Mutex<Set<UInt64>>([])

        var all: Set<UInt64> { pages.withLock { $0 } }

        func merge(_ words: UnsafeBufferPointer<UInt64>, of range: MemoryRange) {
            for (bit, page) in range.frames.enumerated() where words[bit / 64] >> (bit % 64) & 1 != 0 {
                _ = pages.withLock { $0.insert(page) }
            }
        }

        func markDirty(_ ranges: [MemoryRange]) {
            for range in ranges { pages.withLock { $0.formUnion(range.frames) } }
        }
    }

    private let hasReadOnlyMemory: Bool
    private let slotLimit: Int
    private let shared: SharedVM
    /// RAM at 0 in a slot that is not the partition's.
    private let ram: GuestMemory
    /// What the partition maps.
    private let memory: GuestMemory
    private let host: UInt
    private let dirty = DirtyPages()

    init() throws {
        let system = try KVMSystem()
        hasReadOnlyMemory = system.has(.readOnlyMemory)
        slotLimit = system.maximumMemorySlots
        shared = try SharedVM(system)
        let range = try MemoryRange(start: GuestAddress(0), count: 0x1_0000)
        ram = try GuestMemory(anonymous: [range])
        let ramHost = UInt(bitPattern: ram.regionMap.regions[0].hostAddress)
        _ = try shared.vm.addMemorySlot(MemorySlot(range: range, hostAddress: ramHost))
        memory = try GuestMemory(anonymous: [MemoryRange(start: GuestAddress(0), count: 0x10_0000)])
        host = UInt(bitPattern: memory.regionMap.regions[0].hostAddress)
    }

    private func partition() -> KVMPartition {
        KVMPartition(
            shared, gate: .init(quiesce: {}, resume: {}),
            dirtyPages: dirty)
    }

    /// - Parameter hostPage: nil for the page that lies as far into `memory` as `pages` into guest memory.
    private func mapping(
        _ pages: Range<UInt64>, hostPage: UInt64? = nil, isWritable: Bool = true
    ) -> PartitionMapping {
        PartitionMapping(
            range: Self.range(pages), hostAddress: host + UInt(hostPage ?? pages.lowerBound) << 12,
            isWritable: isWritable)
    }

    private static func range(_ pages: Range<UInt64>) -> MemoryRange {
        try! MemoryRange(frames: pages)
    }

    private func carryOut(
        _ partition: KVMPartition, unmap: [Range<UInt64>] = [], map: [PartitionMapping] = []
    ) throws {
        let change = PartitionChange(unmapped: unmap.map(Self.range), mapped: map)
        try partition.begin(change)
        defer { partition.end() }
        if !unmap.isEmpty { try partition.unmap(change.unmapped) }
        if !map.isEmpty { try partition.map(map) }
    }

    /// The slots in the kernel that are the partition's: all but the first.
    private var installed: [MemorySlot] {
        shared.vm.memorySlots.dropFirst().map(\.slot).sorted { $0.range < $1.range }
    }

    /// A vCPU that runs `code` from address 0x1000, with the data segment at 0x20000.
    private func makeVCPU(_ code: [UInt8]) throws -> VCPU {
        try ram.write(code, at: GuestAddress(0x1000))
        let vcpu = try shared.vm.makeVCPU(id: 0)
        var special = try vcpu.specialRegisters()
        special.cs.base = 0
        special.cs.selector = 0
        special.ds.base = 0x20000
        special.ds.selector = 0x2000
        try vcpu.setSpecialRegisters(special)
        try Self.restart(vcpu)
        return vcpu
    }

    private static func restart(_ vcpu: borrowing VCPU) throws {
        var registers = GeneralRegisters()
        registers.rip = 0x1000
        registers.rflags = 2
        try vcpu.setGeneralRegisters(registers)
    }

    @Test("A ROM over RAM splits its slot in the kernel, and once it is gone there is one slot again")
    func overlay() throws {
        guard hasReadOnlyMemory else { return }
        let partition = partition()
        try carryOut(partition, map: [mapping(32..<128)])
        let rom = mapping(64..<68, hostPage: 200, isWritable: false)
        for _ in 0..<100 {
            try carryOut(partition, unmap: [64..<68], map: [rom])
            #expect(installed.map(\.range) == [32..<64, 64..<68, 68..<128].map(Self.range))
            #expect(installed.map(\.flags) == [[], .readOnly, []])
            try carryOut(partition, unmap: [64..<68], map: [mapping(64..<68)])
            #expect(installed == [MemorySlot(range: Self.range(32..<128), hostAddress: host + 32 << 12)])
        }
        #expect(shared.vm.memorySlots.allSatisfy { $0.id.rawValue < 4 })
        #expect(partition.counters.slotsAdded == 401 && partition.counters.quiesces == 200)
    }

    @Test("Over hundreds of changes numbers are used again, and none is left over when the partition goes")
    func numbersAreUsedAgain() throws {
        do {
            let partition = partition()
            for cycle in 0..<300 as Range<UInt64> {
                let start = 32 + cycle % 64
                try carryOut(partition, map: [mapping(start..<start + 8), mapping(200..<201)])
                try carryOut(partition, unmap: [start + 2..<start + 4])
                #expect(shared.vm.memorySlots.map(\.id.rawValue) == [0, 1, 2, 3])
                try carryOut(partition, unmap: [start..<start + 2, start + 4..<start + 8, 200..<201])
            }
            #expect(installed.isEmpty)
            try carryOut(partition, map: [mapping(32..<40), mapping(50..<60)])
            #expect(installed.count == 2)
        }
        #expect(installed.isEmpty)
    }

    @Test("With all slots in use one more is refused with the limit, and what is mapped stays")
    func fillingAllSlots() throws {
        let partition = partition()
        // Every other page, so that no two are one slot, and all of one page of the host's.
        let all = (1..<UInt64(slotLimit)).map { mapping(1024 + 2 * $0..<1025 + 2 * $0, hostPage: 0) }
        try carryOut(partition, map: all)
        #expect(shared.vm.memorySlots.count == slotLimit)
        #expect {
            try carryOut(partition, map: [mapping(32..<40)])
        } throws: { error in
            "\(error)".contains("all \(slotLimit) memory slots are in use") && "\(error)".contains("[0x20000, 0x27fff]")
        }
        #expect(shared.vm.memorySlots.count == slotLimit)
        try carryOut(partition, unmap: [1026..<1027])
        try carryOut(partition, map: [mapping(32..<40)])
        #expect(shared.vm.memorySlots.count == slotLimit)
    }

    @Test("A guest's write to memory that is mapped read-only exits and leaves it alone; its read gets it")
    func readOnlyMemory() throws {
        guard hasReadOnlyMemory else { return }
        let partition = partition()
        try memory.write([0x5a], at: GuestAddress(0x23000))
        try carryOut(partition, map: [mapping(32..<64, isWritable: false)])
        // mov al, [0x3000]; out 0x10, al; mov byte [0x3000], 0x77
        let vcpu = try makeVCPU([0xa0, 0x00, 0x30, 0xe6, 0x10, 0xc6, 0x06, 0x00, 0x30, 0x77])
        guard case .portIO(let io) = try vcpu.run() else {
            Issue.record("no port I/O")
            return
        }
        #expect(io.value == 0x5a)
        guard case .mmio(let access) = try vcpu.run() else {
            Issue.record("no MMIO")
            return
        }
        #expect(access.isWrite && access.address == 0x23000 && access.value == 0x77)
        #expect(try memory.read(GuestAddress(0x23000), count: 1) == [0x5a])
    }

    @Test("The log outlasts changes: what was written before is handed over, and what is written after is logged")
    func dirtyLog() throws {
        let partition = partition()
        try carryOut(partition, map: [mapping(32..<64)])
        // mov byte [0x3000], 0x77; hlt
        let vcpu = try makeVCPU([0xc6, 0x06, 0x00, 0x30, 0x77, 0xf4])
        try partition.startLogging(.log, isInitiallySet: false)
        guard case .halt = try vcpu.run() else {
            Issue.record("the guest did not run to its end")
            return
        }
        try carryOut(partition, unmap: [40..<41])
        #expect(dirty.all == [0x23])
        #expect(installed.map(\.flags) == [.logDirtyPages, .logDirtyPages])

        // mov byte [0xf000], 0x77; hlt
        try ram.write([0xc6, 0x06, 0x00, 0xf0, 0x77, 0xf4], at: GuestAddress(0x1000))
        try Self.restart(vcpu)
        guard case .halt = try vcpu.run() else {
            Issue.record("the guest did not go on")
            return
        }
        #expect(dirty.all == [0x23])
        try carryOut(partition, map: [mapping(40..<41)])
        var round = DirtyRound()
        let isThere = try partition.readDirtyLog(nil, into: &round)
        #expect(isThere)
        round.forEachRun { dirty.markDirty([$0]) }
        #expect(dirty.all == [0x23, 0x2f])
        try partition.stopLogging()
        #expect(installed.allSatisfy { $0.flags.isEmpty })
        #expect(try memory.read(GuestAddress(0x2f000), count: 1) == [0x77])
    }

    @Test("A guest that reads beside a ROM that comes and goes never finds its memory gone")
    func overlayUnderARunningGuest() throws {
        guard hasReadOnlyMemory else { return }
        var configuration = MachineConfiguration(guest: "reader", format: .flat16)
        configuration.memory = ByteSize(bytes: 0x1_0000)
        configuration.irqchip = .none
        configuration.timeout = TimeLimit("600s")
        // mov ax, 0x2000; mov ds, ax; again: cmp byte [0x3000], 0x5a; je again; mov al, 1; out 0xf4, al
        let code: [UInt8] = [
            0xb8, 0x00, 0x20, 0x8e, 0xd8, 0x80, 0x3e, 0x00, 0x30, 0x5a, 0x74, 0xf9, 0xb0, 0x01, 0xe6, 0xf4,
        ]
        let machine = try Machine(
            configuration, image: GuestImage(name: "reader", bytes: code), console: CollectingConsole())
        let partition = KVMPartition(
            machine.guest.shared,
            gate: .init(quiesce: { machine.pause() }, resume: { machine.resume() }), dirtyPages: dirty)
        try memory.write([0x5a], at: GuestAddress(0x23000))
        try carryOut(partition, map: [mapping(32..<64)])
        try machine.start()
        for _ in 0..<100 {
            try carryOut(partition, unmap: [40..<44], map: [mapping(40..<44, hostPage: 200, isWritable: false)])
            try carryOut(partition, unmap: [40..<44], map: [mapping(40..<44)])
        }
        #expect(partition.counters.quiesces == 200)
        #expect(!machine.control.hasEnded)
        // Now it does.
        try carryOut(partition, unmap: [32..<64])
        let result = machine.wait()
        guard case .debugExit(value: 1) = result.outcome else {
            Issue.record("\(result.outcome)")
            return
        }
    }
}
