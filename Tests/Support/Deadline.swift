import VMHost

/// How long a race may go on.
public struct Deadline: Sendable {
    private let end: MonotonicTime

    public init(_ duration: Duration) {
        end = .now.advanced(by: duration)
    }

    public var hasPassed: Bool { MonotonicTime.now >= end }
}
