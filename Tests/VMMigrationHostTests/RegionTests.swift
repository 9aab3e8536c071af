import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMHost
import VMMachine
import VMMemory
import VMMigration
import VMRegions

@Suite(
    "Memory that moves", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct RegionTests {
    private func range(_ start: UInt64, _ count: UInt64) throws -> MemoryRange {
        try MemoryRange(start: GuestAddress(start), count: count)
    }

    private func fill(_ machine: Machine, _ start: UInt64, _ count: UInt64, _ value: UInt64) throws {
        for offset in stride(from: 0, to: count, by: 4096) {
            try machine.memory.store(value + offset, at: GuestAddress(start + offset))
        }
    }

    /// All bytes of each backing, by name.
    private func contents(_ machine: Machine) throws -> [(name: String, bytes: [UInt8])] {
        let all = try machine.regions.withTurn { manager throws(RegionManagerError) in try manager.contents() }
        return all.map { contents in
            var bytes = [UInt8](repeating: 0, count: Int(contents.backing.byteCount))
            for extent in contents.extents {
                guard let pointer = UnsafeRawPointer(bitPattern: extent.hostAddress) else { continue }
                let source = UnsafeRawBufferPointer(start: pointer, count: extent.bytes.count)
                bytes.replaceSubrange(Int(extent.bytes.lowerBound)..<Int(extent.bytes.upperBound), with: source)
            }
            return (contents.backing.name, bytes)
        }
    }

    private func view(_ machine: Machine) throws -> [String] {
        try machine.regions.withTurn { manager throws(RegionManagerError) in
            manager.definitions.map { definition in
                let memory = definition.memory.map {
                    "\($0.offset) \($0.count) \($0.backing.name) \($0.backingOffset) \($0.isWritable)"
                }
                return
                    "\(definition.name) \(definition.range) \(definition.priority) \(memory) \(String(describing: definition.parameters))"
            }
        }
    }

    @Test(
        "All memory arrives, seen or not, shared or hidden, and read-only stays so",
        arguments: hostMethods, [1, 4])
    func everything(_ method: MachineConfiguration.DirtyTracking, _ channels: Int) throws {
        var guest = try LiveMachine("spin", ["user"]) {
            $0.dirtyTracking = method
            $0.memory = ByteSize(bytes: 10 << 20)
        }
        #expect(guest.waitForLines(1, since: 0))
        // Goes with its handles.
        let handles = try addRegions(to: guest.machine)
        var before = try contents(guest.machine)
        let viewBefore = try view(guest.machine)
        for number in 1...2 {
            var hop = Hop()
            hop.parameters.channels = channels
            hop.destination.dirtyTracking = method
            let source = guest
            // The monitor's own writes while memory is copied count as well.
            hop.onSource = { stage, _ in
                if stage == .roundEnd || stage == .accepted {
                    try? source.machine.memory.store(UInt64(number), at: GuestAddress(0x4000_3000))
                }
            }
            let ends = try hop.make(guest)
            #expect(ends.source == nil && ends.destination == nil, "\(String(describing: ends))")
            before = try contents(source.machine)
            guest = ends.owner(source)
            let after = try contents(guest.machine)
            #expect(before.map(\.name) == after.map(\.name))
            for (old, new) in zip(before, after) { #expect(old.bytes == new.bytes, "\(old.name) in hop \(number)") }
            #expect(try view(guest.machine) == viewBefore)
            #expect(try guest.machine.memory.load(GuestAddress(0x4000_3000), as: UInt64.self) == UInt64(number))
            #expect(throws: GuestMemoryError.self) {
                try guest.machine.memory.store(UInt64(1), at: GuestAddress(0x80_0000))
            }
            // One page behind both.
            try guest.machine.memory.store(UInt64(77 + number), at: GuestAddress(0x5000_1000))
            #expect(try guest.machine.memory.load(GuestAddress(0x5100_0000), as: UInt64.self) == UInt64(77 + number))
        }
        withExtendedLifetime(handles) {}
    }

    /// A ROM over RAM that has something in it, RAM added later, memory that nobody sees, and some that is seen twice.
    private func addRegions(to machine: Machine) throws -> [RegionHandle] {
        let size: UInt64 = 64 << 10
        try fill(machine, 0x80_0000, size, 0x1111_0000_0000)
        var handles = [try machine.addRAM(at: range(0x4000_0000, size))]
        try fill(machine, 0x4000_0000, size, 0x2222_0000_0000)
        let rom = try RegionBacking(memfd: "rom", byteCount: size)
        let hidden = try RegionBacking(memfd: "hidden", byteCount: size)
        let shared = try RegionBacking(memfd: "shared", byteCount: size)
        for (backing, value) in [(rom, UInt64(0x3333)), (hidden, 0x4444), (shared, 0x5555)] {
            let mapping = try backing.mapping()
            for offset in stride(from: 0, to: size, by: 4096) {
                mapping.baseAddress.storeBytes(of: value + offset, toByteOffset: Int(offset), as: UInt64.self)
            }
        }
        let definitions = [
            RegionDefinition(
                "rom", try range(0x80_0000, size), priority: 1,
                memory: [.init(count: size, of: rom, isWritable: false)], parameters: MapParameters()),
            RegionDefinition(
                "hidden", try range(0x6000_0000, size), memory: [.init(count: size, of: hidden)]),
            RegionDefinition(
                "one", try range(0x5000_0000, size), memory: [.init(count: size, of: shared)],
                parameters: MapParameters()),
            RegionDefinition(
                "other", try range(0x5100_0000, size / 2),
                memory: [.init(count: size / 2, of: shared, backingOffset: 4096)], parameters: MapParameters()),
        ]
        handles += try machine.regions.withTurn { manager throws(RegionManagerError) in
            try manager.addRegions(definitions)
        }
        return handles
    }

    @Test("Regions stay as they are while memory is copied, and can be changed afterwards, here or there")
    func changesAreRefused() throws {
        let refusals = Monitor<[String]>([])
        for cancels in [true, false] {
            let guest = try smallDirtyGuest()
            let machine = guest.machine
            let range = try range(0x4000_0000, 4096)
            var hop = Hop()
            hop.onSource = { stage, migration in
                guard stage == .roundEnd || stage == .stopped else { return }
                do throws(MachineError) {
                    _ = try machine.addRAM(at: range)
                    refusals.withLock { $0.append("\(stage): not refused") }
                } catch .memory(.held) {
                    if cancels, stage == .stopped { migration.cancel() }
                } catch {
                    refusals.withLock { $0.append("\(stage): \(error)") }
                }
            }
            let ends = try hop.make(guest)
            #expect((ends.source == nil) == !cancels)
            let owner = ends.owner(guest)
            let added = try owner.machine.addRAM(at: range)
            #expect(try owner.machine.memory.load(GuestAddress(0x4000_0000), as: UInt64.self) == 0)
            withExtendedLifetime(added) {}
            owner.expectGoodEnd()
        }
        #expect(refusals.withLock(\.self) == [])
    }
}
