import Glibc
import Synchronization
import TestSupport
import Testing
import VMMachine
import VMMemory
import VMRegions
import VMState

private final class EndedRun: Sendable {
    let result = Mutex<RunResult?>(nil)
}

/// Runs a guest in one machine after another: each is paused after a while, and its successor goes on where it was.
struct SuccessiveMachines {
    private(set) var machine: Machine
    private let console: CollectingConsole
    /// How many machines there were.
    private(set) var count = 1

    init(_ machine: Machine, _ console: CollectingConsole) {
        self.machine = machine
        self.console = console
    }

    /// - Parameter interval: how long each machine runs, in microseconds.
    /// - Returns: how the last of them ended.
    mutating func run(_ interval: () -> UInt32) throws -> RunResult {
        while true {
            try machine.start()
            let ended = EndedRun()
            let current = machine
            let waiter = TestThread { ended.result.withLock { $0 = current.wait() } }
            // Longer each time: where a thread takes long to start, no machine might get anywhere otherwise.
            usleep(interval() + UInt32(clamping: count))
            current.pause()
            let state = try current.saveModel()
            let model = try MachineState(decoding: state.encoded)
            let saved = try MachineState(decoding: try current.saveState().encoded)
            current.stop()
            waiter.join()
            let last = ended.result.withLock(\.self)
            let result = try #require(last)
            guard case .stopped = result.outcome else { return result }
            machine = try Self.successor(of: current, model, saved, console)
            count += 1
        }
    }

    static func successor(
        of machine: Machine, _ model: MachineState, _ state: MachineState, _ console: CollectingConsole,
        symbols: String? = nil
    ) throws -> Machine {
        let next = try Machine(
            restoring: model, .init(timeout: TimeLimit("600s"), symbols: symbols), console: console)
        let old = try machine.regions.withTurn { manager throws(RegionManagerError) in try manager.contents() }
        let new = try next.regions.withTurn { manager throws(RegionManagerError) in try manager.contentsToFill() }
        #expect(old.map(\.backing.name) == new.map(\.backing.name))
        for (from, to) in zip(old, new) { copy(from, to) }
        try next.regions.withTurn { manager throws(RegionManagerError) in try manager.endFilling() }
        try next.restoreState(state)
        return next
    }

    private static func copy(_ old: BackingContents, _ new: BackingContents) {
        for extent in old.extents {
            for target in new.extents {
                let part = extent.bytes.clamped(to: target.bytes)
                guard !part.isEmpty,
                    let from = UnsafeRawPointer(
                        bitPattern: extent.hostAddress + UInt(part.lowerBound - extent.bytes.lowerBound)),
                    let to = UnsafeMutableRawPointer(
                        bitPattern: target.hostAddress + UInt(part.lowerBound - target.bytes.lowerBound))
                else { continue }
                to.copyMemory(from: from, byteCount: part.count)
            }
        }
    }
}
