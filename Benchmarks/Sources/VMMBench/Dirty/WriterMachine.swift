import BenchmarkSupport
import VMBoot
import VMDirtyTracking
import VMMachine

/// A machine of ours with the guest `writer`, all of whose memory is there. It is paused but for when the guest is to write.
final class WriterMachine {
    /// How many pages are in a dirty ring of the usual size when the kernel says that it is full: 64 entries are left then
    /// (`KVM_DIRTY_RING_RSVD_ENTRIES`).
    static let entriesOfFullRing: UInt64 = 4096 - 64

    let tracker: DirtyTracker
    let writer: Writer
    let machine: Machine
    private var round = DirtyRound()

    /// - Parameter image: of the guest.
    init(_ tracking: MachineConfiguration.DirtyTracking, image: [UInt8]) throws {
        let configuration = MachineConfiguration(
            guest: "writer", memory: ByteSize(bytes: Writer.memorySize), irqchip: .none, dirtyTracking: tracking)
        machine = try Machine(configuration, image: GuestImage(name: "writer", bytes: image), console: Marks())
        tracker = machine.dirtyTracker
        guard let slot = machine.partition.slots.first?.slot, slot.range.count == Writer.memorySize,
            let memory = UnsafeMutableRawPointer(bitPattern: slot.hostAddress)
        else { throw BenchmarkError("the machine's memory is not one slot") }
        writer = Writer(memory: memory)
        try machine.start()
        machine.pause()
        writer.setPages(Writer.allPages)
        try pass()
    }

    deinit {
        machine.stop()
        _ = machine.wait()
    }

    /// Has the guest write to each of its pages.
    func pass() throws {
        writer.orderPass()
        machine.resume()
        try writer.waitUntilIdle()
        machine.pause()
    }

    /// Runs `body` while the guest writes.
    func whileWriting<Result>(rate: UInt64 = 0, _ body: () throws -> Result) throws -> Result {
        writer.orderWrites(rate: rate)
        machine.resume()
        try writer.waitForProgress()
        let result = try body()
        writer.stop()
        try writer.waitUntilIdle()
        machine.pause()
        return result
    }

    /// Takes what was written.
    /// - Returns: how many pages.
    @discardableResult
    func harvest() throws -> UInt64 {
        try tracker.harvest(into: &round)
        return round.pageCount
    }

    /// Goes through what the last harvest has taken.
    func walk() -> (runs: UInt64, pages: UInt64) {
        var found: (runs: UInt64, pages: UInt64) = (0, 0)
        round.forEachRun { run in
            found.runs &+= 1
            found.pages &+= run.pageCount
        }
        return found
    }

    /// How long the last harvest took.
    var harvestTime: Duration { round.duration }
}
