import CMeasuring

/// Keeps the vCPUs of what is compared on one CPU, and who measures on another, while there is a value.
///
/// What the kernel notes of a guest's writes is in the caches of the CPU that the guest ran on. Whether a harvest finds it
/// there or in another's would otherwise be for the scheduler to say.
///
/// With one CPU, all run there. To be used by one thread.
final class SplitCPUs {
    private let allowed: [Int32]

    /// This thread is on the one CPU from now on.
    init() {
        var cpus = [Int32](repeating: 0, count: 1024)
        let count = measuring_allowed_cpus(&cpus, Int32(cpus.count))
        allowed = Array(cpus.prefix(Int(count)))
        if let first = allowed.first { measuring_pin(first) }
    }

    deinit {
        if !allowed.isEmpty { measuring_allow(allowed, Int32(allowed.count)) }
    }

    /// Runs `body`, which starts vCPUs, on the other.
    func startVCPUs<Result>(_ body: () throws -> Result) rethrows -> Result {
        guard let first = allowed.first, let last = allowed.last else { return try body() }
        measuring_pin(last)
        defer { measuring_pin(first) }
        return try body()
    }
}
