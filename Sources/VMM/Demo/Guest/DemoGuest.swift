import ArgumentParser
import VMAddressSpace
import VMMachine

/// The guest of a demonstration: the built-in `dirty`, what it is to write, and the machine that it gets.
struct DemoGuest: Equatable {
    enum Pattern: String, CaseIterable, ExpressibleByArgument {
        case sequential, random, hot
    }

    /// Bytes of pages written a second.
    enum Rate: Equatable {
        case limited(ByteSize)
        case unlimited

        init?(_ text: String) {
            if text == "max" {
                self = .unlimited
            } else if let size = ByteSize(text), size.bytes > 0 {
                self = .limited(size)
            } else {
                return nil
            }
        }
    }

    let set: ByteSize
    let rate: Rate
    let pattern: Pattern
    let memory: ByteSize
    let cpus: Int
    let tracking: MachineConfiguration.DirtyTracking

    /// Where its working set begins, and how much the machine has beyond it unless told otherwise.
    private static let base: UInt64 = 16 << 20
    private static let usualRoom: UInt64 = 64 << 20
    /// It ends between two passes over its working set, and who waits for that is to see an end.
    private static let longestPass = Duration.seconds(300)

    /// - Parameter memory: nil for a little more than the working set.
    /// - Throws: `Failure`, where the guest would refuse, or nobody could wait for it.
    init(
        set: ByteSize, rate: Rate, pattern: Pattern, memory: ByteSize? = nil, cpus: Int = 1,
        tracking: MachineConfiguration.DirtyTracking = .auto
    ) throws(Failure) {
        let page = PageSize.size4K.bytes
        guard set.bytes > 0 else { throw Failure(.usage, "--set: there is nothing to write in 0 bytes") }
        // More than any machine can have, and few enough to add to.
        guard set.bytes < 1 << 52 else { throw Failure(.usage, "--set: no machine has \(set) of memory") }
        let wanted = (set.bytes + page - 1) / page * page
        self.set = set
        self.rate = rate
        self.pattern = pattern
        self.memory = memory ?? ByteSize(bytes: wanted + Self.usualRoom)
        self.cpus = cpus
        self.tracking = tracking
        guard wanted + Self.base <= self.memory.bytes else {
            throw Failure(
                .usage,
                "--set: \(set) needs \(ByteSize(bytes: Self.base)) + \(set) of memory; --memory is \(self.memory)")
        }
        guard cpus > 0, UInt64(cpus) <= wanted / page else {
            throw Failure(.usage, "--cpus: \(cpus) is not from 1 to the \((wanted / page).counted("page")) of --set")
        }
        guard tracking != .off else {
            throw Failure(.usage, "--dirty-tracking: off cannot migrate a guest that runs")
        }
        guard passTime <= Self.longestPass else {
            throw Failure(
                .usage,
                "--rate: a pass over \(set) at \(rate) a second takes \(DurationText.rounded(passTime)), and the guest ends after "
                    + "one; \(DurationText.rounded(Self.longestPass)) is the most")
        }
    }

    /// How long it takes to write all of its working set once, as far as that is known beforehand.
    var passTime: Duration {
        guard case .limited(let rate) = rate else { return .zero }
        return .seconds(Double(set.bytes) / Double(rate.bytes))
    }

    /// A pass that one with `hot` makes over its hot pages can be a little longer than `passTime`.
    var longestWait: Duration { passTime * 3 + .seconds(60) }

    var configuration: MachineConfiguration {
        MachineConfiguration(
            guest: "dirty", arguments: arguments, memory: memory, cpus: cpus, dirtyTracking: tracking)
    }

    private var arguments: [String] {
        ["--set", "\(set)", "--rate", "\(rate)", "--pattern", pattern.rawValue, "--cpus", "\(cpus)"]
    }
}

extension DemoGuest.Rate: CustomStringConvertible {
    var description: String {
        switch self {
        case .limited(let size): "\(size)"
        case .unlimited: "max"
        }
    }
}

extension DemoGuest: CustomStringConvertible {
    /// "dirty: 256M at random, 200M a second"
    var description: String {
        let order =
            switch pattern {
            case .sequential: "in sequence"
            case .random: "at random"
            case .hot: "with a hot tenth"
            }
        let speed = if case .limited(let size) = rate { "\(size) a second" } else { "as fast as it can" }
        return "dirty writes \(set) \(order), \(speed)"
    }
}
