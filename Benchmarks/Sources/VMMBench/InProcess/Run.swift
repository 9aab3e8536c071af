import BenchmarkSupport
import CBaseline
import VMBoot
import VMMachine

/// One run of a guest inside this process, by the library or by the baseline: from before the host's KVM is opened to the
/// marks that the guest set.
struct Run {
    let started: UInt64
    let marks: [Mark]

    private static let memory: UInt64 = 128 << 20
    private static let name = "benchmark"

    /// By the library.
    /// - Parameter exits: whether the guest ends the run itself; otherwise it halts.
    static func ours(_ code: [UInt8], marks needed: Int, exits: Bool, irqchip: Bool) throws -> Run {
        let marks = Marks()
        let image = GuestImage(name: name, bytes: code)
        let configuration = MachineConfiguration(
            guest: name, format: .flat64, memory: ByteSize(bytes: memory), irqchip: irqchip ? .full : .none)
        let started = monotonicNanoseconds()
        let machine = try Machine(configuration, image: image, console: marks)
        try machine.start()
        let outcome = machine.wait().outcome
        switch outcome {
        case .debugExit where exits: break
        case .halted where !exits: break
        default: throw BenchmarkError("the guest ended otherwise than it should: \(outcome)")
        }
        return Run(started: started, marks: try marks.all(needed: needed))
    }

    /// The same by the baseline.
    static func baseline(
        _ code: [UInt8], memory: UInt64 = memory, marks needed: Int, exits: Bool, irqchip: Bool
    ) throws -> Run {
        let marks = Marks()
        let context = Unmanaged.passUnretained(marks)
        let (started, status) = withExtendedLifetime(marks) {
            code.withUnsafeBufferPointer { image in
                name.withCString { name in
                    var guest = baseline_guest(
                        image: image.baseAddress, image_size: image.count, command_line: name, memory_size: memory,
                        has_irqchip: irqchip, ring_size: 0)
                    let started = monotonicNanoseconds()
                    let machine = baseline_create(
                        &guest,
                        // SAFETY: `withExtendedLifetime` keeps the marks for as long as the machine runs.
                        { context, _ in Unmanaged<Marks>.fromOpaque(context!)._withUnsafeGuaranteedRef { $0.set() } },
                        context.toOpaque())
                    baseline_start(machine)
                    let status = baseline_wait(machine)
                    baseline_destroy(machine)
                    return (started, status)
                }
            }
        }
        guard (status != 0) == exits else { throw BenchmarkError("the baseline's guest ended with status \(status)") }
        return Run(started: started, marks: try marks.all(needed: needed))
    }
}
