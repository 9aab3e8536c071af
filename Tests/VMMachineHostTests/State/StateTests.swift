import BuiltInGuests
import Glibc
import KVM
import TestSupport
import Testing
import VMBoot
import VMMachine
import VMState

@Suite(
    "State of machines", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct StateTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let guest: String
        var arguments: [String] = []
        var cpus = 1
        var irqchip = MachineConfiguration.IRQChip.full
        var memory: UInt64 = 8 << 20
        var output: String
        /// How long each machine runs at most, in microseconds.
        var longest: UInt32 = 2_000

        var testDescription: String { "\(guest) \(arguments.joined(separator: " ")), \(cpus) CPUs, irqchip \(irqchip)" }
    }

    static let examples: [Example] = [
        Example(guest: "hello", output: "hello, world\n", longest: 100),
        Example(guest: "hello16", output: "hello, world\n", longest: 100),
        Example(guest: "hello32", output: "hello, world\n", longest: 100),
        Example(guest: "hello", irqchip: .none, output: "hello, world\n", longest: 100),
        Example(guest: "timer", arguments: ["5"], output: timerOutput(5), longest: 15_000),
        Example(guest: "timer", arguments: ["5"], irqchip: .split, output: timerOutput(5), longest: 15_000),
        Example(guest: "smp", cpus: 3, output: smpOutput(3), longest: 1_000),
        Example(guest: "smp", cpus: 2, irqchip: .split, output: smpOutput(2), longest: 1_000),
        Example(
            guest: "dirty", arguments: ["--set", "2M", "--passes", "200", "--report", "0", "--pattern", "random"],
            memory: 24 << 20, output: "dirty: 200 passes ok\n", longest: 20_000),
        Example(
            guest: "dirty", arguments: ["--set", "2M", "--passes", "100", "--report", "0", "--cpus", "2"], cpus: 2,
            memory: 24 << 20, output: "dirty: 100 passes ok\n", longest: 20_000),
    ]

    private static func timerOutput(_ count: Int) -> String {
        (1...count).map { "tick \($0)\n" }.joined() + "timer: \(count) ticks\n"
    }

    private static func smpOutput(_ count: Int) -> String {
        (0..<count).map { "cpu \($0): online\n" }.joined() + "smp: \(count) cpus online\n"
    }

    @Test("A guest goes on in machine after machine as if nothing had happened", arguments: examples)
    func guestsGoOn(_ example: Example) throws {
        var random = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
        for _ in 0..<3 {
            let seed = random.next()
            var generator = SeededGenerator(seed: seed)
            let console = CollectingConsole()
            let machine = try makeMachine(
                example.guest,
                {
                    $0.cpus = example.cpus
                    $0.irqchip = example.irqchip
                    $0.memory = ByteSize(bytes: example.memory)
                    $0.arguments = example.arguments
                }, console: console)
            var machines = SuccessiveMachines(machine, console)
            let result = try machines.run { UInt32.random(in: 1...example.longest, using: &generator) }
            #expect(console.text == example.output, "seed \(seed), \(machines.count) machines")
            switch result.outcome {
            case .halted, .poweredOff: break
            default: Issue.record("\(result.outcome), seed \(seed), \(machines.count) machines")
            }
        }
    }
    @Test("A guest ends as it would have, in whichever machine it then is", arguments: ["3", "null", "ud2", "stack"])
    func otherEndings(_ argument: String) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3 {
            let console = CollectingConsole()
            let machine = try makeMachine(
                argument == "3" ? "exit" : "fault",
                {
                    $0.arguments = [argument]
                    $0.memory = ByteSize(bytes: 8 << 20)
                }, console: console)
            var machines = SuccessiveMachines(machine, console)
            let result = try machines.run { UInt32.random(in: 1...100, using: &random) }
            switch result.outcome {
            case .debugExit(value: 3) where argument == "3": break
            case .crashed where argument != "3": #expect(console.text.hasPrefix("fault: about to "), "seed \(seed)")
            default: Issue.record("\(result.outcome), seed \(seed), \(machines.count) machines")
            }
        }
    }

    @Test(
        "The crash of a guest that came from elsewhere is told with the symbols of a file, and without",
        arguments: [true, false])
    func symbols(hasFile: Bool) throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("fault.elf", try #require(BuiltInGuest(named: "fault")).bytes)
        let console = CollectingConsole()
        let machine = try makeMachine("fault", { $0.arguments = ["null"] }, console: console)
        machine.pause()
        try machine.start()
        let (model, state) = (try machine.saveModel(), try machine.saveState())
        machine.stop()
        _ = machine.wait()
        let successor = try SuccessiveMachines.successor(
            of: machine, model, state, console, symbols: hasFile ? file : nil)
        let result = try successor.run()
        guard case .crashed(let report) = result.outcome else {
            Issue.record("\(result.outcome)")
            return
        }
        #expect(report.summary.contains("queue_length") == hasFile)
        #expect("\(report)".contains("guest_main") == hasFile)
    }
}
