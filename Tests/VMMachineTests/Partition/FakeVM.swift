import SystemPackage
import VMAddressSpace
import VMHost

@testable import KVM
@testable import VMMachine

/// Memory slots as the kernel has them, and processors to keep out, in a few lines. Calls can be made to fail, and what must
/// not happen to a running guest is noted.
final class FakeVM: MemorySlotCalls {
    struct State {
        var slots: [UInt32: MemorySlot] = [:]
        /// Pages of 4 KiB, by guest frame number, that a log has.
        var dirty: Set<UInt64> = []
        /// What has been handed over.
        var harvested: Set<UInt64> = []
        var isQuiesced = false
        var calls = 0
        /// Which calls fail, counted from 0, and how.
        var failing: Range<Int> = 0..<0
        var failure: Errno = .noMemory
        /// Pages that a running guest must find at all times.
        var needed: Set<UInt64> = []
        var added: [MemorySlot] = []
        var removed: [MemorySlot] = []
        var complaints: [String] = []
    }

    let state = Monitor(State())
    let limit: UInt32

    init(limit: UInt32 = 509) {
        self.limit = limit
    }

    func partition(hasReadOnlyMemory: Bool = true) -> KVMPartition {
        let gate = KVMPartition.ProcessorGate(
            quiesce: { self.state.withLock { $0.setQuiesced(true) } },
            resume: { self.state.withLock { $0.setQuiesced(false) } })
        return KVMPartition(self, hasReadOnlyMemory: hasReadOnlyMemory, gate: gate) { range, words in
            let pages = range.frames.enumerated().filter { words[$0.offset / 64] >> ($0.offset % 64) & 1 != 0 }
            self.state.withLock { $0.harvested.formUnion(pages.map(\.element)) }
        }
    }

    // MARK: What the kernel does

    func addMemorySlot(_ slot: MemorySlot) throws(KVMError) -> MemorySlotID {
        try state.withLock { (state) throws(KVMError) in
            try state.count(.setMemorySlot)
            guard let id = (0..<limit).first(where: { state.slots[$0] == nil }) else {
                throw .call(.setMemorySlot, .noSpace, about: "all \(limit) memory slots are in use")
            }
            guard !state.slots.values.contains(where: { $0.range.overlaps(slot.range) }) else {
                throw .call(.setMemorySlot, .fileExists, about: "slot \(id), \(slot.range)")
            }
            guard slot.range.pageCount <= MemorySlot.maximumPageCount else {
                throw .call(.setMemorySlot, .invalidArgument, about: "slot \(id), \(slot.range)")
            }
            state.slots[id] = slot
            state.added.append(slot)
            return MemorySlotID(rawValue: id)
        }
    }

    func removeMemorySlot(_ id: MemorySlotID) throws(KVMError) {
        try state.withLock { (state) throws(KVMError) in
            try state.count(.setMemorySlot)
            guard let slot = state.slots[id.rawValue] else {
                throw .call(.setMemorySlot, .noSuchFileOrDirectory, about: "slot \(id.rawValue)")
            }
            if !state.isQuiesced {
                if !state.needed.isDisjoint(with: slot.range.frames) {
                    state.complaints.append("\(slot.range) vanished from a running guest that needs it")
                }
                if slot.flags.contains(.logDirtyPages) {
                    state.complaints.append("\(slot.range) vanished while a running guest could write it")
                }
            }
            if slot.flags.contains(.logDirtyPages), !state.dirty.isDisjoint(with: slot.range.frames) {
                state.complaints.append("the dirty log of \(slot.range) was lost")
            }
            state.slots[id.rawValue] = nil
            state.removed.append(slot)
        }
    }

    func setMemorySlotFlags(_ id: MemorySlotID, _ flags: MemorySlot.Flags) throws(KVMError) {
        try state.withLock { (state) throws(KVMError) in
            try state.count(.setMemorySlot)
            guard let slot = state.slots[id.rawValue],
                slot.flags.contains(.readOnly) == flags.contains(.readOnly)
            else { throw .call(.setMemorySlot, .invalidArgument, about: "slot \(id.rawValue)") }
            if !flags.contains(.logDirtyPages), !state.dirty.isDisjoint(with: slot.range.frames) {
                state.complaints.append("the dirty log of \(slot.range) was lost")
            }
            state.slots[id.rawValue]?.flags = flags
        }
    }

    func getDirtyLog(_ id: MemorySlotID, into words: UnsafeMutableBufferPointer<UInt64>) throws(KVMError) {
        try state.withLock { (state) throws(KVMError) in
            try state.count(.getDirtyLog)
            guard let slot = state.slots[id.rawValue], slot.flags.contains(.logDirtyPages) else {
                throw .call(.getDirtyLog, .noSuchFileOrDirectory, about: "slot \(id.rawValue)")
            }
            guard words.count == slot.dirtyLogWordCount else {
                throw .call(.getDirtyLog, .invalidArgument, about: "\(words.count) words")
            }
            words.update(repeating: 0)
            for (bit, page) in slot.range.frames.enumerated() where state.dirty.remove(page) != nil {
                words[bit / 64] |= 1 << (bit % 64)
            }
        }
    }

    // MARK: What a test asks and does

    /// Without their numbers, ascending.
    var slots: [MemorySlot] {
        state.withLock { $0.slots.values.sorted { $0.range < $1.range } }
    }

    /// Whether a guest finds the memory that slots had before, however it is divided and logged.
    func hasSameMemory(as slots: [MemorySlot]) -> Bool {
        SlotLayout(slots: self.slots).hasSameMemory(as: SlotLayout(slots: slots))
    }

    var complaints: [String] { state.withLock { $0.complaints } }
    var isQuiesced: Bool { state.withLock { $0.isQuiesced } }

    /// Makes the calls of these numbers fail, the next one being 0, and counts anew.
    func fail(_ calls: Range<Int>, _ failure: Errno = .noMemory) {
        state.withLock { state in
            state.calls = 0
            state.failing = calls
            state.failure = failure
            state.added = []
            state.removed = []
        }
    }

    /// What a guest's write to a page does.
    func write(page: UInt64) {
        state.withLock { state in
            let slot = state.slots.values.first { $0.range.frames.contains(page) }
            if let slot, slot.flags.contains(.logDirtyPages) { state.dirty.insert(page) }
        }
    }
}

extension FakeVM.State {
    mutating func count(_ call: KVMCall) throws(KVMError) {
        defer { calls += 1 }
        guard !failing.contains(calls) else { throw .call(call, failure, about: "call \(calls)") }
    }

    mutating func setQuiesced(_ quiesced: Bool) {
        if isQuiesced == quiesced { complaints.append("the gate was moved to where it was: \(quiesced)") }
        isQuiesced = quiesced
    }
}
