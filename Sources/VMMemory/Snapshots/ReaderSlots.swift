import CThreads
import Synchronization
import VMHost

/// Where the threads of the process say which snapshots they are reading: hazard pointers (Michael, 2004) with the
/// reader's full barrier taken out by `ProcessBarrier`.
///
/// Each thread has a block of eight words, one cache line, of its own: six slots, the attention word and the next block,
/// for a thread that reads more than six snapshots at a time. A slot holds the word of a `GuestMemoryAtomic` whose map is
/// being read, or 0. Only the owner of a block puts words into its slots; any thread may clear one, since a snapshot may
/// be let go of by another thread than the one that took it. Blocks are handed on when their thread has ended and their
/// slots are clear, and never freed.
///
/// # Why a map that is read is not freed
/// A reader stores the word in its slot, then looks whether it is still the one published (`light` in between); who
/// replaces the map publishes another, then looks through the slots (`heavy` in between). So the reader sees that the map
/// is no longer in force, and tries again, or its slot is seen. That a freed map's address, and with it the word, may
/// come back as those of a new map does no harm: what counts is that the map with this word was in force after the slot
/// had it.
///
/// A slot is cleared by a release store and seen clear by an acquire load, also by the thread that uses it again. So all
/// that was done with a snapshot comes before whatever is done by who finds its slot clear, or with another word.
@usableFromInline
enum ReaderSlots {
    @usableFromInline typealias Slot = UnsafeMutablePointer<Atomic<UInt>>

    @usableFromInline static let slotsPerBlock = 6
    private static let next = 7
    private static let blockSize = 64

    /// A slot of the calling thread that holds nothing. Nobody else takes it before the caller has filled it.
    @inlinable @inline(__always)
    static func free() -> Slot {
        freeFirst() ?? otherFree()
    }

    /// The first slot of the calling thread, if it holds nothing.
    @inlinable @inline(__always)
    static func freeFirst() -> Slot? {
        // SAFETY: the variable holds nil or what `otherFree` stored: a block of initialised atomics that is never freed.
        guard let first = cthreads_get_reader_slots()?.assumingMemoryBound(to: Atomic<UInt>.self),
            first.pointee.load(ordering: .acquiring) == 0
        else { return nil }
        return first
    }

    /// Clears a slot: from here on its map may be freed.
    @inlinable @inline(__always)
    static func clear(_ slot: Slot) {
        slot.pointee.store(0, ordering: .releasing)
        // Either this thread sees the attention word that `ask` set, or who set it sees the cleared slot.
        ProcessBarrier.light()
        if attentionWord(of: slot).pointee.load(ordering: .relaxed) != 0 { wake(slot) }
    }

    /// The place of the attention word in a block.
    @inlinable static var attention: Int { 6 }

    /// One bit for each slot of the block: whoever clears it is to call `SnapshotReclaimer.reclaim`.
    @inlinable @inline(__always)
    static func attentionWord(of slot: Slot) -> Slot {
        // SAFETY: blocks are 64 bytes, aligned to 64; the attention word is their seventh.
        let block = UnsafeMutableRawPointer(bitPattern: UInt(bitPattern: slot) & ~63)
        return block.unsafelyUnwrapped.assumingMemoryBound(to: Atomic<UInt>.self) + attention
    }

    static func attentionBit(_ slot: Slot) -> UInt {
        1 << ((UInt(bitPattern: slot) & 63) >> 3)
    }

    /// Makes whoever clears the slot next call `SnapshotReclaimer.reclaim`. With a `ProcessBarrier.heavy()` after it: unless
    /// the slot is seen clear then.
    static func ask(_ slot: Slot) {
        attentionWord(of: slot).pointee.bitwiseOr(attentionBit(slot), ordering: .relaxed)
    }

    /// Who takes a bit away reclaims afterwards, and so sets it again if the slot, taken anew, is asked for once more.
    @usableFromInline @inline(never)
    static func wake(_ slot: Slot) {
        let word = attentionWord(of: slot)
        let bit = attentionBit(slot)
        // Not a matter of this slot while a thread that holds one snapshot for long takes and drops others.
        guard word.pointee.load(ordering: .relaxed) & bit != 0,
            word.pointee.bitwiseAnd(~bit, ordering: .relaxed).oldValue & bit != 0
        else { return }
        SnapshotReclaimer.reclaim()
    }

    /// A free slot further on in the thread's first block, or in its other ones, or in a new one.
    @usableFromInline @inline(never)
    static func otherFree() -> Slot {
        guard let first = cthreads_get_reader_slots()?.assumingMemoryBound(to: Atomic<UInt>.self) else {
            let block = registry.takeBlock()
            cthreads_set_reader_slots(block)
            ThreadEnd.watch(block)
            return block
        }
        var block = first
        while true {
            for index in 0..<slotsPerBlock where block[index].load(ordering: .acquiring) == 0 { return block + index }
            guard let following = Slot(bitPattern: block[next].load(ordering: .relaxed)) else { break }
            block = following
        }
        let added = registry.takeBlock()
        block[next].store(UInt(bitPattern: added), ordering: .relaxed)
        return added
    }

    /// The slots whose words match. What was put into a slot before a `ProcessBarrier.heavy()` that precedes this call,
    /// and is still there, is among them.
    static func held(where matches: (SnapshotWord) -> Bool) -> [HeldSlot] {
        var held: [HeldSlot] = []
        registry.forEachBlock { block in
            for index in 0..<slotsPerBlock {
                guard let found = HeldSlot(block + index), matches(found.word) else { continue }
                held.append(found)
            }
        }
        return held
    }

    /// Whether one of the calling thread's slots holds a word that `matches`.
    static func callerHolds(where matches: (SnapshotWord) -> Bool) -> Bool {
        var block = cthreads_get_reader_slots()?.assumingMemoryBound(to: Atomic<UInt>.self)
        while let slots = block {
            for index in 0..<slotsPerBlock {
                if let held = HeldSlot(slots + index), matches(held.word) { return true }
            }
            block = Slot(bitPattern: slots[next].load(ordering: .relaxed))
        }
        return false
    }

    private static let registry = Registry()

    /// All blocks there are, and those whose thread has ended.
    private struct Registry: ~Copyable {
        private struct State {
            var blocks: [UInt] = []
            var unused: [UInt] = []
        }
        private let state = Monitor(State())

        /// Calls `body` with the blocks there are; it must not ask for one. A thread that gets a new one later has not yet
        /// taken its first snapshot with it, and will see all that was published before.
        func forEachBlock(_ body: (Slot) -> Void) {
            state.withLock { state in
                for block in state.blocks {
                    // SAFETY: the number is that of a block made here, which is never freed.
                    if let slots = Slot(bitPattern: block) { body(slots) }
                }
            }
        }

        /// A block that holds nothing.
        func takeBlock() -> Slot {
            state.withLock { state in
                if let index = state.unused.lastIndex(where: Self.isClear),
                    let slots = Slot(bitPattern: state.unused.remove(at: index))
                {
                    return slots
                }
                let slots = Self.makeBlock()
                state.blocks.append(UInt(bitPattern: slots))
                return slots
            }
        }

        /// Takes back the blocks of a thread that ends. One whose slot is still held, by a snapshot that went to another
        /// thread, waits until it is not: `callerHolds` shall not take it for one of the next owner's.
        func giveBack(_ first: Slot) {
            state.withLock { state in
                var block = Optional(first)
                while let slots = block {
                    block = Slot(bitPattern: slots[next].load(ordering: .relaxed))
                    slots[next].store(0, ordering: .relaxed)
                    state.unused.append(UInt(bitPattern: slots))
                }
            }
        }

        private static func isClear(_ block: UInt) -> Bool {
            // SAFETY: the number is that of a block made here, which is never freed.
            guard let slots = Slot(bitPattern: block) else { return false }
            return (0..<slotsPerBlock).allSatisfy { slots[$0].load(ordering: .acquiring) == 0 }
        }

        private static func makeBlock() -> Slot {
            let memory = UnsafeMutableRawPointer.allocate(byteCount: blockSize, alignment: blockSize)
            let slots = memory.bindMemory(to: Atomic<UInt>.self, capacity: 8)
            for index in 0..<8 { (slots + index).initialize(to: Atomic(0)) }
            return slots
        }
    }

    static func threadEnds(_ block: UnsafeMutableRawPointer) {
        cthreads_set_reader_slots(nil)
        registry.giveBack(block.assumingMemoryBound(to: Atomic<UInt>.self))
    }
}

/// A slot, and the word that was found in it.
struct HeldSlot {
    let slot: ReaderSlots.Slot
    let word: SnapshotWord

    /// - Returns: nil where the slot is clear.
    init?(_ slot: ReaderSlots.Slot) {
        let word = slot.pointee.load(ordering: .acquiring)
        guard word != 0 else { return nil }
        self.slot = slot
        self.word = SnapshotWord(rawValue: word)
    }

    /// Whether the word is still there.
    var isHeld: Bool {
        slot.pointee.load(ordering: .acquiring) == word.rawValue
    }
}
