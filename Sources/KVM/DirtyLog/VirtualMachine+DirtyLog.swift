import CKVM
import SystemPackage
import VMAddressSpace

/// The kernel's dirty log: for each slot with `MemorySlot.Flags.logDirtyPages` a bit for each page that the guest has
/// written. vCPUs may run meanwhile.
extension VirtualMachine {
    /// How dirty logs are kept: that of slots which begin to have one, or come with one, from the call on.
    public enum DirtyLogProtection: Sendable {
        /// `getDirtyLog` starts the log anew, and has the pages protected against writing to notice the next.
        case automatic
        /// `getDirtyLog` only looks; `clearDirtyLog` starts the log anew, by ranges.
        case manual
        /// The same, and a log starts with every page dirty: none has to be protected until it is cleared. Needs
        /// `CapabilitySource.canSetDirtyLogsInitially`.
        case manualInitiallySet
    }

    /// Chooses how dirty logs are kept (KVM API document, `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`). Change between automatic and
    /// manual only while no slot has a log. Needs `Capability.manualDirtyLogProtect`.
    public func setDirtyLogProtection(_ protection: DirtyLogProtection) throws(KVMError) {
        let options: UInt64 =
            switch protection {
            case .automatic: 0
            case .manual: UInt64(KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
            case .manualInitiallySet: UInt64(KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET)
            }
        try enable(.manualDirtyLogProtect, argument: options)
    }

    /// Reads which pages the guest has written since the log was last started anew, which with
    /// `DirtyLogProtection.automatic` this call does (KVM API document, section 4.8).
    /// - Parameter words: at least `MemorySlot.dirtyLogWordCount` of them are overwritten: a bit for each page, the first
    ///   page in the lowest bit; bits past the last page are 0.
    /// - Throws: `KVMError.call` with `ENOENT` where there is no such slot or it has not `MemorySlot.Flags.logDirtyPages`,
    ///   `EINVAL` where `words` are too few, `ENXIO` where the VM logs to rings.
    public func getDirtyLog(
        _ id: MemorySlotID, into words: UnsafeMutableBufferPointer<UInt64>
    ) throws(KVMError) {
        try withLog(of: id, .getDirtyLog) { (slot) throws(KVMError) in
            guard words.count >= slot.dirtyLogWordCount else {
                throw .call(
                    .getDirtyLog, .invalidArgument,
                    about: "slot \(id.rawValue), \(slot.range), has a log of \(slot.dirtyLogWordCount) words, not "
                        + "\(words.count)")
            }
            var log = kvm_dirty_log()
            log.slot = id.rawValue
            log.dirty_bitmap = UnsafeMutableRawPointer(words.baseAddress)
            // SAFETY: the kernel writes one bit for each page of the slot, in whole words, which the buffer has room for.
            try descriptor.set(.getDirtyLog, CKVM_GET_DIRTY_LOG, log, about: "slot \(id.rawValue), \(slot.range)")
        }
    }

    /// Starts the log of some pages anew, and has them protected against writing (KVM API document, section 4.117). Only
    /// what is written after the call is in the log then: copy pages after it, not before.
    /// - Parameters:
    ///   - firstPage: where in the slot, in pages: a multiple of 64.
    ///   - words: the pages, as `getDirtyLog` gives them, from `firstPage` on. Pages past the slot's end are left out.
    /// - Throws: `KVMError.call` with `ENOENT` where there is no such slot or it has no log, `EINVAL` where `firstPage` is
    ///   no multiple of 64 or beyond the slot, `ENXIO` where the VM logs to rings.
    public func clearDirtyLog(
        _ id: MemorySlotID, firstPage: UInt64, words: UnsafeBufferPointer<UInt64>
    ) throws(KVMError) {
        try withLog(of: id, .clearDirtyLog) { (slot) throws(KVMError) in
            let pageCount = slot.range.pageCount
            guard firstPage < pageCount, firstPage & 63 == 0 else {
                throw .call(
                    .clearDirtyLog, .invalidArgument,
                    about: "slot \(id.rawValue), \(slot.range), from its page \(firstPage) on")
            }
            guard !words.isEmpty else { return }
            var log = kvm_clear_dirty_log()
            log.slot = id.rawValue
            log.first_page = firstPage
            log.num_pages = UInt32(min(pageCount - firstPage, UInt64(words.count) << 6))
            // The kernel only reads them.
            log.dirty_bitmap = UnsafeMutableRawPointer(mutating: words.baseAddress)
            // SAFETY: the kernel reads one bit for each of those pages, in whole words, of which there are as many.
            try descriptor.set(.clearDirtyLog, CKVM_CLEAR_DIRTY_LOG, log, about: "slot \(id.rawValue), \(slot.range)")
        }
    }

    /// Runs `body` with a slot that has a log, and the table locked: so that the slot does not become a larger one before
    /// the kernel is done with its log.
    private func withLog(
        of id: MemorySlotID, _ call: KVMCall, _ body: (MemorySlot) throws(KVMError) -> Void
    ) throws(KVMError) {
        try slots.withLock { (table) throws(KVMError) in
            guard let slot = table[id] else {
                throw .call(call, .noSuchFileOrDirectory, about: "there is no memory slot \(id.rawValue)")
            }
            guard slot.flags.contains(.logDirtyPages) else {
                throw .call(
                    call, .noSuchFileOrDirectory, about: "slot \(id.rawValue), \(slot.range), does not log dirty pages")
            }
            try body(slot)
        }
    }
}

extension CapabilitySource where Self: ~Copyable {
    /// Whether there is `DirtyLogProtection.manualInitiallySet`: the capability's value says which options there are.
    public var canSetDirtyLogsInitially: Bool {
        value(of: .manualDirtyLogProtect) & Int(KVM_DIRTY_LOG_INITIALLY_SET) != 0
    }
}
