import KVM
import VMDirtyTracking

extension MachineConfiguration {
    private static let usualDirtyRingSize = 4096

    /// What can be known without the host's KVM.
    func validateDirtyRing() throws(MachineError) {
        guard let size = dirtyRingSize else { return }
        guard dirtyTracking == .ring else {
            throw .configuration(
                key: .dirtyRingSize,
                "there are no dirty rings with dirty tracking by \(dirtyTracking.rawValue); "
                    + "choose ring, or leave the size out")
        }
        guard size.nonzeroBitCount == 1, DirtyRing.minimumEntryCount...DirtyRing.maximumEntryCount ~= size else {
            throw .configuration(
                key: .dirtyRingSize,
                "\(size) entries are no power of two from \(DirtyRing.minimumEntryCount) to \(DirtyRing.maximumEntryCount), such as \(Self.usualDirtyRingSize)"
            )
        }
    }

    /// Checks what is asked for against what the host can do; where nothing is, it is not asked either.
    func validateDirtyTracking(on system: borrowing KVMSystem) throws(MachineError) {
        guard dirtyTracking.method != nil || dirtyRingSize != nil else { return }
        let support = DirtyTrackingSupport(system)
        if let method = dirtyTracking.method, !support.has(method) {
            throw .configuration(
                key: .dirtyTracking,
                "\(DirtyTrackingError.unsupported(method, use: support.methods.first ?? .log))")
        }
        if let size = dirtyRingSize, size > support.maximumRingEntryCount {
            throw .configuration(
                key: .dirtyRingSize,
                "\(size) entries are more than the \(support.maximumRingEntryCount) that a dirty ring can have on this host"
            )
        }
    }

    /// How many entries each dirty ring is to have; nil for no rings.
    func dirtyRingEntryCount(on system: borrowing KVMSystem) -> Int? {
        guard dirtyTracking == .ring else { return nil }
        return dirtyRingSize ?? min(Self.usualDirtyRingSize, system.maximumDirtyRingEntryCount)
    }
}

extension MachineConfiguration.DirtyTracking {
    /// The one method that is asked for; nil where it is left open, or there is none.
    public var method: DirtyTrackingMethod? {
        switch self {
        case .auto, .off: nil
        case .log: .log
        case .manual: .manual
        case .ring: .ring
        }
    }

    /// What a tracker has to know.
    var setup: DirtyTracker.Setup {
        switch self {
        case .auto, .log, .manual: .bitmaps(preferred: method)
        case .ring: .rings
        case .off: .off
        }
    }
}
