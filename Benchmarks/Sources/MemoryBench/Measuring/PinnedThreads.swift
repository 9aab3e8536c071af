import BenchmarkSupport
import CMeasuring
import Glibc
import Synchronization

/// How operations are measured that several threads do at the same time.
enum PinnedThreads {
    private static let wanted = 41
    private static let attempts = 200

    /// Each thread has a CPU to itself and does `count` operations at a time. Only runs count that overlap for at least
    /// 85 % of their length: the others say nothing about what the threads do to one another.
    /// - Throws: `Skipped` where the host has too few CPUs or never ran the threads together.
    static func compare(
        threads: Int, count: UInt64, ours: @escaping @Sendable (UInt64) -> Void,
        baseline: @escaping @Sendable (UInt64) -> Void
    ) throws -> Comparison {
        let cpus = Array(allowedCPUs().prefix(threads))
        guard cpus.count == threads else {
            throw Skipped(reason: "needs \(threads) CPUs; this process may run on \(cpus.count)")
        }
        var samples: (ours: [Double], baseline: [Double]) = ([], [])
        for _ in 0..<attempts where min(samples.ours.count, samples.baseline.count) < wanted {
            if let sample = sample(cpus, count, ours) { samples.ours.append(sample) }
            if let sample = sample(cpus, count, baseline) { samples.baseline.append(sample) }
        }
        guard !samples.ours.isEmpty, !samples.baseline.isEmpty else {
            throw Skipped(reason: "\(threads) threads never ran together")
        }
        return Comparison((median(samples.ours), median(samples.baseline)))
    }

    /// The nanoseconds of one operation; nil where the threads did not run together.
    private static func sample(_ cpus: [Int32], _ count: UInt64, _ body: @escaping @Sendable (UInt64) -> Void)
        -> Double?
    {
        let runs = runTogether(cpus) { body(count) }
        guard runs.count == cpus.count, let lastStart = runs.map(\.started).max(),
            let firstEnd = runs.map(\.ended).min()
        else { return nil }
        let mean = runs.reduce(0) { $0 + Double($1.ended - $1.started) } / Double(runs.count)
        let overlap = firstEnd > lastStart ? Double(firstEnd - lastStart) : 0
        return overlap >= 0.85 * mean ? mean / Double(count) : nil
    }

    private static func allowedCPUs() -> [Int32] {
        var cpus = [Int32](repeating: 0, count: 1024)
        let count = measuring_allowed_cpus(&cpus, Int32(cpus.count))
        return Array(cpus.prefix(Int(count)))
    }
}

/// When a thread did its part.
private struct Run {
    let started: UInt64
    let ended: UInt64
}

/// What the threads of one run share.
private final class Crew: Sendable {
    let size: Int
    let body: @Sendable () -> Void
    let ready = Atomic(0)
    let runs = Mutex([Run]())

    init(size: Int, body: @escaping @Sendable () -> Void) {
        self.size = size
        self.body = body
    }

    func join(cpu: Int32) {
        let isPinned = measuring_pin(cpu) == 0
        ready.wrappingAdd(1, ordering: .sequentiallyConsistent)
        while ready.load(ordering: .relaxed) < size { measuring_pause() }
        let started = monotonicNanoseconds()
        body()
        let run = Run(started: started, ended: monotonicNanoseconds())
        if isPinned { runs.withLock { $0.append(run) } }
    }
}

/// A thread's part: the crew and the CPU.
private final class Berth: Sendable {
    let crew: Crew
    let cpu: Int32

    init(_ crew: Crew, cpu: Int32) {
        self.crew = crew
        self.cpu = cpu
    }
}

/// Runs `body` on a thread for each CPU, from the moment on when all of them are ready.
private func runTogether(_ cpus: [Int32], _ body: @escaping @Sendable () -> Void) -> [Run] {
    let crew = Crew(size: cpus.count, body: body)
    var threads: [pthread_t] = []
    for cpu in cpus {
        var thread = pthread_t()
        let berth = Unmanaged.passRetained(Berth(crew, cpu: cpu))
        let result = pthread_create(
            &thread, nil,
            { context in
                // SAFETY: the context is the reference that the caller has retained for this thread.
                let berth = Unmanaged<Berth>.fromOpaque(context.unsafelyUnwrapped).takeRetainedValue()
                berth.crew.join(cpu: berth.cpu)
                return nil
            }, berth.toOpaque())
        guard result == 0 else {
            berth.release()
            // Those that wait for this one go on.
            crew.ready.wrappingAdd(1, ordering: .sequentiallyConsistent)
            continue
        }
        threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
    return crew.runs.withLock { $0 }
}
