import KVM
import VMAddressSpace
import VMHost
import VMRegions

/// A virtual machine of KVM's as a partition: guest memory as memory slots.
///
/// - Memory that goes on in the guest and on the host alike is one slot, as far as that disturbs nobody: what is mapped
///   beside memory in force gets a slot of its own while the processors run, and becomes one with it at the next
///   change that keeps them out.
/// - The processors are kept out in a change that takes memory away and brings some, so that they see the one or the
///   other; while a slot is replaced of which a part stays mapped; and while one goes that logs dirty pages, also if it
///   came just before and has to go because another failed: what is written after the log was read would be lost.
/// - Where a step fails and undoing it fails too, the processors are kept out until that is done: by `restore()`, or when
///   the change ends or the next begins. They never run without memory that they are to have.
/// - A slot that is the same before and after a change stays, also where the memory behind it is replaced: the kernel
///   follows that by itself, and the processors are out. What its dirty log has is handed over first.
/// - `isExecutable` makes no difference, as slots have no such flag, and `prefetch` none either.
///
/// Any thread may use it, apart from those of vCPUs, which would wait for themselves; one call is made after another. Only
/// `slots`, `counters` and `inspection` wait for nobody, and `drainDirtyRing` is for vCPUs.
public final class KVMPartition: Partition {
    /// Keeps the processors of a VM out of the guest.
    struct ProcessorGate: Sendable {
        /// Returns once no vCPU runs.
        let quiesce: @Sendable () -> Void
        /// Lets them run again.
        let resume: @Sendable () -> Void
    }

    public let name: String
    /// Held during a call, also while it waits for processors.
    let state: Monitor<SlotState>
    let table = SlotTable()
    let calls: any MemorySlotCalls
    let dirtyPages: any DirtyPageSink

    /// - Parameters:
    ///   - name: for errors and inspection.
    ///   - calls: of the VM. It has no slots where this partition is to have some.
    ///   - gate: to the VM's processors.
    ///   - dirtyPages: takes what dirty logs had. It is called during a call of the partition, which it must not call
    ///     in turn.
    init(
        name: String = "KVM", _ calls: any MemorySlotCalls, gate: ProcessorGate, dirtyPages: any DirtyPageSink
    ) {
        self.name = name
        self.calls = calls
        self.dirtyPages = dirtyPages
        self.state = Monitor(SlotState(InstalledSlots(calls, gate, table, dirtyPages)))
    }

    deinit {
        state.withLock { $0.removeAll() }
    }

    /// Leaves the slots to the VM, which is about to go, and whose processors have run for the last time: taking them away
    /// one by one would cost time. What dirty logs have is handed over. From then on, changes succeed and do nothing.
    func abandon() {
        state.withLock { $0.abandon() }
    }

    public func begin(_ change: PartitionChange) throws(PartitionError) {
        try perform { (state) throws(SlotStateError) in
            // What only adds memory disturbs nobody.
            guard !change.unmapped.isEmpty else { return try state.begin() }
            try state.begin(change, try state.slots(for: change.mapped))
        }
    }

    public func unmap(_ ranges: [MemoryRange]) throws(PartitionError) {
        try perform { (state) throws(SlotStateError) in try state.unmap(ranges) }
    }

    public func map(_ mappings: [PartitionMapping]) throws(PartitionError) {
        try perform { (state) throws(SlotStateError) in
            try state.map(mappings, try state.slots(for: mappings))
        }
    }

    public func restore() throws(PartitionError) {
        try perform { (state) throws(SlotStateError) in try state.restore() }
    }

    public func end() {
        state.withLock { $0.end() }
    }

    /// Runs `body`, unless the VM is about to go.
    /// - Returns: whether it has run.
    @discardableResult
    func perform(_ body: (inout SlotState) throws(SlotStateError) -> Void) throws(PartitionError) -> Bool {
        do throws(SlotStateError) {
            return try state.withLock { (state) throws(SlotStateError) in
                guard !state.isAbandoned else { return false }
                try body(&state)
                return true
            }
        } catch {
            throw PartitionError(error, in: name)
        }
    }
}
