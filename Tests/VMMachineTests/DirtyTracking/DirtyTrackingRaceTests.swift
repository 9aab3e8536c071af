import Glibc
import KVM
import Synchronization
import TestSupport
import Testing
import VMAddressSpace
import VMDirtyTracking
import VMMemory
import VMRegions

@testable import VMMachine

/// A copy that is made of what is reported alone, while guest and monitor write.
@Suite("Dirty tracking while memory is written") struct DirtyTrackingRaceTests {
    /// A guest's memory, which it writes without the monitor's marks.
    private struct GuestStores: Sendable {
        /// Two words in each page, for who writes them.
        private static let stride = 4096
        // SAFETY: the memory stays mapped for as long as the test has the guest, whose regions do not change; the words are
        // only accessed atomically, or by the copying functions that allow for others' writes.
        private nonisolated(unsafe) let base: UnsafeMutableRawPointer

        init(_ guest: TrackedGuest) throws {
            base = try #require(guest.manager.memory.regionMap.regions.first?.hostAddress)
        }

        func store(_ value: UInt64, _ frame: UInt64) {
            let word = base + Int(frame) * Self.stride
            word.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(value, ordering: .releasing)
        }
    }

    private static let frames: Range<UInt64> = 0..<70
    private static let passCount: UInt64 = 100

    private struct Difference: Error {
        let pass: UInt64
        let frames: [UInt64]
    }

    /// The writers write each page once in each pass, so that a write that is lost is still to be seen at its end.
    @Test("A copy of what is reported ends equal", .timeLimit(.minutes(5)), arguments: DirtyTrackingMethod.allCases)
    func copying(_ method: DirtyTrackingMethod) throws {
        let guest = try TrackedGuest(hasRings: method == .ring)
        let (vm, memory, tracker, partition) = (guest.vm, guest.manager.memory, guest.tracker, guest.partition)
        let stores = try GuestStores(guest)
        // The pass that may be made, and how many the writers have made together.
        let (begun, ended) = (SharedNumber(), SharedNumber())
        let copy = PageCopy(Self.frames)
        try tracker.start(method, from: .dirty)
        try onThreads([
            {
                try Self.makePasses(begun, ended, seed: 1) { pass, frame in
                    vm.write(page: frame, vcpu: 0) { stores.store(pass, frame) }
                    // As a full ring is.
                    if method == .ring, frame % 16 == 0 { try partition.drainDirtyRing(of: 0) }
                }
            },
            {
                try Self.makePasses(begun, ended, seed: 2) { pass, frame in
                    try memory.store(pass, at: GuestAddress(frame << 12 + 8))
                }
            },
            {
                // Lets the writers go where this fails.
                defer { begun.value = Self.passCount }
                var random = SeededGenerator(seed: 3)
                var round = DirtyRound()
                for pass in 1...Self.passCount {
                    begun.value = pass
                    while ended.value < 2 * pass {
                        try tracker.harvest(Bool.random(using: &random) ? pages(20..<66) : nil, into: &round)
                        if Int.random(in: 0..<4, using: &random) == 0 {
                            round.putBack()
                        } else {
                            try copy.take(round, memory)
                        }
                    }
                    try tracker.harvest(into: &round)
                    try copy.take(round, memory)
                    let differences = try copy.differences(memory, from: pass)
                    guard differences.isEmpty else { throw Difference(pass: pass, frames: differences) }
                }
            },
        ])
        #expect(vm.complaints == [])
    }

    /// Writes all pages in each pass, in an order that is always another.
    private static func makePasses(
        _ begun: SharedNumber, _ ended: SharedNumber, seed: UInt64, _ write: (UInt64, UInt64) throws -> Void
    ) throws {
        // Nobody waits for one that fails.
        var rest = passCount
        defer { ended.add(rest) }
        var random = SeededGenerator(seed: seed)
        for pass in 1...passCount {
            while begun.value < pass { sched_yield() }
            for frame in frames.shuffled(using: &random) {
                try write(pass, frame)
                // So that there are harvests in the midst of each pass.
                if frame % 24 == 0 { sched_yield() }
            }
            rest -= 1
            ended.add(1)
        }
    }
}

/// Copies of the two words in each page that are written.
private final class PageCopy: Sendable {
    private let frames: Range<UInt64>
    // SAFETY: one thread has it.
    private nonisolated(unsafe) var words: [SIMD2<UInt64>]

    init(_ frames: Range<UInt64>) {
        self.frames = frames
        words = Array(repeating: .zero, count: frames.count)
    }

    /// The frames where the memory is other than the copy, or than the writers have left it.
    func differences(_ memory: GuestMemory, from pass: UInt64) throws(GuestMemoryError) -> [UInt64] {
        var differences: [UInt64] = []
        for frame in frames {
            let now = try memory.load(GuestAddress(frame << 12), as: SIMD2<UInt64>.self)
            if now != words[Int(frame - frames.lowerBound)] || now != SIMD2(repeating: pass) {
                differences.append(frame)
            }
        }
        return differences
    }

    func take(_ round: borrowing DirtyRound, _ memory: GuestMemory) throws(GuestMemoryError) {
        try round.forEachRun { (run) throws(GuestMemoryError) in
            for frame in run.frames where frames.contains(frame) {
                words[Int(frame - frames.lowerBound)] = try memory.load(
                    GuestAddress(frame << 12), as: SIMD2<UInt64>.self)
            }
        }
    }
}
