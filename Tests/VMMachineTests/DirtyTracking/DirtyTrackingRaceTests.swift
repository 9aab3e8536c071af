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
    private static let writeCount: UInt64 = 20_000

    @Test("A copy of what is reported ends equal", .timeLimit(.minutes(5)), arguments: DirtyTrackingMethod.allCases)
    func copying(_ method: DirtyTrackingMethod) throws {
        let guest = try TrackedGuest(hasRings: method == .ring)
        let (vm, memory, tracker, partition) = (guest.vm, guest.manager.memory, guest.tracker, guest.partition)
        let stores = try GuestStores(guest)
        let ended = SharedNumber()
        let copy = PageCopy(Self.frames)
        try tracker.start(method, from: .dirty)
        try onThreads([
            {
                defer { ended.add(1) }
                var random = SeededGenerator(seed: 1)
                for value in 1...Self.writeCount {
                    let frame = UInt64.random(in: Self.frames, using: &random)
                    vm.write(page: frame, vcpu: 0) { stores.store(value, frame) }
                    // As a full ring is.
                    if method == .ring, value % 500 == 0 { try partition.drainDirtyRing(of: 0) }
                }
            },
            {
                defer { ended.add(1) }
                var random = SeededGenerator(seed: 2)
                for value in 1...Self.writeCount {
                    let frame = UInt64.random(in: Self.frames, using: &random)
                    try memory.store(value, at: GuestAddress(frame << 12 + 8))
                }
            },
            {
                var random = SeededGenerator(seed: 3)
                var round = DirtyRound()
                var isLast = false
                while !isLast {
                    isLast = ended.value == 2
                    let isPart = !isLast && Bool.random(using: &random)
                    try tracker.harvest(isPart ? pages(20..<66) : nil, into: &round)
                    if !isLast, Int.random(in: 0..<4, using: &random) == 0 {
                        round.putBack()
                    } else {
                        try copy.take(round, memory)
                    }
                }
            },
        ])
        var written = 0
        for frame in Self.frames {
            let now = try memory.load(GuestAddress(frame << 12), as: SIMD2<UInt64>.self)
            #expect(copy[frame] == now, "frame \(frame)")
            if now != .zero { written += 1 }
        }
        #expect(written == Self.frames.count && vm.complaints == [])
    }
}

/// Copies of the two words in each page that are written.
private final class PageCopy: Sendable {
    private let frames: Range<UInt64>
    // SAFETY: one thread writes it, and others read it once that has ended.
    private nonisolated(unsafe) var words: [SIMD2<UInt64>]

    init(_ frames: Range<UInt64>) {
        self.frames = frames
        words = Array(repeating: .zero, count: frames.count)
    }

    subscript(frame: UInt64) -> SIMD2<UInt64> { words[Int(frame - frames.lowerBound)] }

    func take(_ round: borrowing DirtyRound, _ memory: GuestMemory) throws(GuestMemoryError) {
        try round.forEachRun { (run) throws(GuestMemoryError) in
            for frame in run.frames where frames.contains(frame) {
                words[Int(frame - frames.lowerBound)] = try memory.load(
                    GuestAddress(frame << 12), as: SIMD2<UInt64>.self)
            }
        }
    }
}
