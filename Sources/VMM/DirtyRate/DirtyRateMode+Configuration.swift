import VMDirtyTracking
import VMMachine

/// What a mode asks of the machine.
extension DirtyRateMode {
    /// Has the machine made so that it can be measured in this mode.
    /// - Parameter support: what the host has; nil where that is not known, and making the machine will tell.
    func configure(_ configuration: inout MachineConfiguration, _ support: DirtyTrackingSupport?) throws(Failure) {
        let asked = configuration.dirtyTracking
        switch self {
        case .pageSampling:
            guard asked == .auto || asked == .off else {
                throw conflict(with: asked, "tracks nothing; leave that away, or use --mode \(Self.mode(for: asked))")
            }
            configuration.dirtyTracking = .off
        case .dirtyBitmap:
            guard asked != .ring else {
                throw conflict(
                    with: asked, "needs bitmaps, which rings exclude; use --mode dirty-ring, or leave that away")
            }
            guard asked != .off else {
                throw conflict(with: asked, "needs tracking; leave that away, or use --mode page-sampling")
            }
        case .dirtyRing:
            guard asked == .auto || asked == .ring else {
                throw conflict(
                    with: asked, "needs rings; leave that away, or use --mode \(Self.mode(for: asked))")
            }
            guard support?.has(.ring) ?? true else {
                throw Failure(
                    .usage,
                    "--mode dirty-ring: the host's KVM has no dirty rings; use --mode dirty-bitmap or page-sampling")
            }
            configuration.dirtyTracking = .ring
        }
    }

    private func conflict(with asked: MachineConfiguration.DirtyTracking, _ advice: String) -> Failure {
        Failure(.usage, "--dirty-tracking \(asked.rawValue): --mode \(rawValue) \(advice)")
    }

    /// The mode that measures by what was asked for.
    private static func mode(for tracking: MachineConfiguration.DirtyTracking) -> String {
        let mode: DirtyRateMode =
            switch tracking {
            case .auto, .log, .manual: .dirtyBitmap
            case .ring: .dirtyRing
            case .off: .pageSampling
            }
        return mode.rawValue
    }
}
