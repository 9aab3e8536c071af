import TestSupport
import Testing
import VMAddressSpace
import VMHost
import VMMachine
import VMRegions

/// The guest `peek`, which does with its memory as it is told.
final class PeekGuest {
    let machine: LiveMachine
    /// What keeps the regions that were added.
    private var regions: [RegionHandle] = []

    init() throws {
        machine = try LiveMachine("peek")
        machine.console.waitForLines(1)
    }

    init(_ machine: LiveMachine) {
        self.machine = machine
    }

    func add(
        _ name: String, at start: UInt64, _ count: UInt64, of backing: RegionBacking, priority: UInt8 = 0,
        isWritable: Bool = true
    ) throws {
        let range = try MemoryRange(start: GuestAddress(start), count: count)
        let definition = RegionDefinition(
            name, range, priority: priority,
            memory: [RegionDefinition.Memory(offset: 0, count: count, of: backing, isWritable: isWritable)],
            parameters: MapParameters())
        regions += try machine.machine.regions.withTurn { manager throws(RegionManagerError) in
            try manager.addRegions([definition])
        }
    }

    /// - Returns: its answer.
    func ask(_ line: String) -> String {
        let before = machine.console.lineCount
        machine.send(line + "\n")
        guard machine.console.waitForLines(before + 1) else { return "no answer" }
        let lines = machine.console.text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.count > before ? String(lines[before]) : "nothing"
    }
}
