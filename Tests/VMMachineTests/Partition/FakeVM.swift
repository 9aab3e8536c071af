import SystemPackage
import VMAddressSpace
import VMDirtyTracking
import VMHost
import VMRegions

@testable import KVM
@testable import VMMachine

/// Memory slots as the kernel has them, and processors to keep out, in a few lines. Calls can be made to fail, and what must
/// not happen to a running guest is noted.
final class FakeVM: MemorySlotCalls {
    struct State {
        var slots: [UInt32: MemorySlot] = [:]
        /// Pages of 4 KiB, by guest frame number, that a log or a ring has.
        var dirty: Set<UInt64> = []
        /// Those of them that nobody has written: logs can begin with all pages.
        var initial: Set<UInt64> = []
        /// Those of them that were read, and neither written nor cleared since.
        var read: Set<UInt64> = []
        var protection = VirtualMachine.DirtyLogProtection.automatic
        /// Slots whose logs began full.
        var initiallySet: Set<UInt32> = []
        /// Whether pages are logged to rings.
        var hasRings = false
        /// How many pages were taken out of the ring of each vCPU.
        var ringPageCounts: [UInt64] = [0, 0]
        /// In which vCPU's ring each of the pages is.
        var rings: [UInt64: Int] = [:]
        /// The vCPUs whose rings have run over, which nobody has noticed.
        var overrun: Set<Int> = []
        /// Pages that can be written without being logged, as they were in a ring that has run over.
        var unprotected: Set<UInt64> = []
        var hasLostPages = false
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
    let hasReadOnlyMemory: Bool

    init(limit: UInt32 = 509, hasReadOnlyMemory: Bool = true) {
        self.limit = limit
        self.hasReadOnlyMemory = hasReadOnlyMemory
    }

    /// - Parameter sink: takes what logs had; nil for the fake itself.
    func partition(sink: (any DirtyPageSink)? = nil) -> KVMPartition {
        let gate = KVMPartition.ProcessorGate(
            quiesce: { self.state.withLock { $0.setQuiesced(true) } },
            resume: { self.state.withLock { $0.setQuiesced(false) } })
        return KVMPartition(self, gate: gate, dirtyPages: sink ?? Sink(vm: self))
    }

    struct Sink: DirtyPageSink {
        let vm: FakeVM

        func merge(_ words: UnsafeBufferPointer<UInt64>, of range: MemoryRange) {
            let pages = range.frames.enumerated().filter { words[$0.offset / 64] >> ($0.offset % 64) & 1 != 0 }
            vm.state.withLock { $0.harvested.formUnion(pages.map(\.element)) }
        }

        func markDirty(_ ranges: [MemoryRange]) {
            vm.state.withLock { state in
                for range in ranges { state.harvested.formUnion(range.frames) }
            }
        }
    }

    // MARK: What the kernel does

    var dirtyTrackingSupport: DirtyTrackingSupport {
        DirtyTrackingSupport(
            hasManualProtection: true, hasInitiallySet: true,
            maximumRingEntryCount: state.withLock(\.hasRings) ? 65_536 : 0)
    }

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
            state.initiallySet.remove(id)
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
            if slot.flags.contains(.logDirtyPages) { state.dropLog(of: slot) }
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
            if !flags.contains(.logDirtyPages) { state.dropLog(of: slot) }
            state.slots[id.rawValue]?.flags = flags
            if flags.contains(.logDirtyPages), state.protection == .manualInitiallySet {
                state.initial.formUnion(slot.range.frames)
                state.dirty.formUnion(slot.range.frames)
                state.initiallySet.insert(id.rawValue)
            } else {
                state.initiallySet.remove(id.rawValue)
            }
        }
    }

    func setDirtyLogProtection(_ protection: VirtualMachine.DirtyLogProtection) throws(KVMError) {
        try state.withLock { (state) throws(KVMError) in
            try state.count(.enableCapability)
            state.protection = protection
        }
    }

    func clearDirtyLog(_ id: MemorySlotID, firstPage: UInt64, words: UnsafeBufferPointer<UInt64>) throws(KVMError) {
        try state.withLock { (state) throws(KVMError) in
            try state.count(.clearDirtyLog)
            guard let slot = state.slots[id.rawValue], slot.flags.contains(.logDirtyPages) else {
                throw .call(.clearDirtyLog, .noSuchFileOrDirectory, about: "slot \(id.rawValue)")
            }
            if state.initiallySet.contains(id.rawValue), state.protection != .manualInitiallySet {
                state.complaints.append("large pages of \(slot.range) were cleared and not protected")
            }
            guard state.protection != .automatic, firstPage % 64 == 0, firstPage < slot.range.pageCount else {
                throw .call(.clearDirtyLog, .invalidArgument, about: "from page \(firstPage)")
            }
            for (bit, page) in slot.range.frames.dropFirst(Int(firstPage)).enumerated() where bit / 64 < words.count {
                if words[bit / 64] >> (bit % 64) & 1 != 0 { state.forget(page) }
            }
        }
    }

    func drainDirtyRings(of vcpu: Int?, _ body: ([MemoryRange]) -> Void) throws(KVMError) {
        let (pages, isLossy) = try state.withLock { (state) throws(KVMError) in
            try state.count(.resetDirtyRings)
            let pages = state.dirty.filter { vcpu == nil || state.rings[$0] == vcpu }
            let overrun = state.overrun.filter { vcpu == nil || $0 == vcpu }
            for page in pages {
                if let ring = state.rings[page] { state.ringPageCounts[ring] += 1 }
                state.forget(page)
            }
            state.overrun.subtract(overrun)
            if !overrun.isEmpty { state.hasLostPages = true }
            return (pages, state.hasLostPages)
        }
        body(isLossy ? [.whole] : pages.sorted().compactMap { try? MemoryRange(frames: $0..<($0 + 1)) })
    }

    var hasLostDirtyPages: Bool {
        get { state.withLock(\.hasLostPages) }
        set { state.withLock { $0.hasLostPages = newValue } }
    }

    var dirtyPageCounts: [UInt64]? { state.withLock { $0.hasRings ? $0.ringPageCounts : nil } }

    func getDirtyLog(_ id: MemorySlotID, into words: UnsafeMutableBufferPointer<UInt64>) throws(KVMError) {
        try state.withLock { (state) throws(KVMError) in
            try state.count(.getDirtyLog)
            guard !state.hasRings else { throw .call(.getDirtyLog, .noSuchAddressOrDevice, about: "rings") }
            guard let slot = state.slots[id.rawValue], slot.flags.contains(.logDirtyPages) else {
                throw .call(.getDirtyLog, .noSuchFileOrDirectory, about: "slot \(id.rawValue)")
            }
            guard words.count == slot.dirtyLogWordCount else {
                throw .call(.getDirtyLog, .invalidArgument, about: "\(words.count) words")
            }
            words.update(repeating: 0)
            for (bit, page) in slot.range.frames.enumerated() where state.dirty.contains(page) {
                words[bit / 64] |= 1 << (bit % 64)
                if state.protection == .automatic { state.forget(page) } else { state.read.insert(page) }
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
    /// - Parameters:
    ///   - vcpu: that writes.
    ///   - store: the write itself, which no log is read in the midst of.
    func write(page: UInt64, vcpu: Int = 0, _ store: () -> Void = {}) {
        state.withLock { state in
            let slot = state.slots.values.first { $0.range.frames.contains(page) }
            if let slot, slot.flags.contains(.logDirtyPages), !state.unprotected.contains(page) {
                if state.dirty.insert(page).inserted { state.rings[page] = vcpu }
                state.initial.remove(page)
                state.read.remove(page)
            }
            store()
        }
    }

    /// Makes the ring of a vCPU run over: the pages in it are in none, and can be written without being logged.
    func overrunRing(of vcpu: Int) {
        state.withLock { state in
            for page in state.dirty where state.rings[page] == vcpu {
                state.forget(page)
                state.unprotected.insert(page)
            }
            state.overrun.insert(vcpu)
        }
    }
}

extension FakeVM.State {
    /// Starts the log of a page anew.
    mutating func forget(_ page: UInt64) {
        dirty.remove(page)
        initial.remove(page)
        read.remove(page)
        rings[page] = nil
    }

    /// What is left of a slot's log goes, and all of its pages are protected when it has one again.
    mutating func dropLog(of slot: MemorySlot) {
        if slot.range.frames.contains(where: { dirty.contains($0) && !initial.contains($0) && !read.contains($0) }) {
            complaints.append("the dirty log of \(slot.range) was lost")
        }
        for page in slot.range.frames {
            forget(page)
            unprotected.remove(page)
        }
    }

    mutating func count(_ call: KVMCall) throws(KVMError) {
        defer { calls += 1 }
        guard !failing.contains(calls) else { throw .call(call, failure, about: "call \(calls)") }
    }

    mutating func setQuiesced(_ quiesced: Bool) {
        if isQuiesced == quiesced { complaints.append("the gate was moved to where it was: \(quiesced)") }
        isQuiesced = quiesced
    }
}

/// For tests that are about slots: the log on and off, and what it has handed over.
extension KVMPartition {
    var isLoggingDirtyPages: Bool { loggingMethod != nil }

    func setLoggingDirtyPages(_ isOn: Bool, by method: DirtyTrackingMethod = .log) throws(PartitionError) {
        if isOn { try startLogging(method, isInitiallySet: false) } else { try stopLogging() }
    }

    func harvestDirtyPages() throws(PartitionError) {
        var round = DirtyRound()
        _ = try readDirtyLog(nil, into: &round)
        round.forEachRun { dirtyPages.markDirty([$0]) }
    }
}
