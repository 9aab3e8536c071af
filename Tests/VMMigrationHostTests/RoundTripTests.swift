import Glibc
import TestSupport
import Testing
import VMMachine
import VMMigration

@Suite(
    "Guests that move", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct RoundTripTests {
    struct Example: CustomTestStringConvertible, Sendable {
        let guest: String
        var arguments: [String] = []
        var cpus = 1
        var irqchip = MachineConfiguration.IRQChip.full
        let output: String
        /// How long each machine runs at most before its guest moves, in microseconds.
        var longest: UInt32 = 2_000

        var testDescription: String { "\(guest) \(arguments.joined(separator: " ")), \(cpus) CPUs, irqchip \(irqchip)" }
    }

    private static func dirty(
        _ options: String, passes: Int, cpus: Int = 1, irqchip: MachineConfiguration.IRQChip = .full
    ) -> Example {
        Example(
            guest: "dirty",
            arguments: (options + " --set 2M --passes \(passes) --report 0 --cpus \(cpus)").split(separator: " ").map(
                String.init), cpus: cpus, irqchip: irqchip, output: "dirty: \(passes) passes ok\n", longest: 20_000)
    }

    private static func timer(_ count: Int, _ irqchip: MachineConfiguration.IRQChip) -> Example {
        Example(
            guest: "timer", arguments: ["\(count)"], irqchip: irqchip,
            output: (1...count).map { "tick \($0)\n" }.joined() + "timer: \(count) ticks\n", longest: 15_000)
    }

    private static func smp(_ count: Int, _ irqchip: MachineConfiguration.IRQChip) -> Example {
        Example(
            guest: "smp", cpus: count, irqchip: irqchip,
            output: (0..<count).map { "cpu \($0): online\n" }.joined() + "smp: \(count) cpus online\n", longest: 1_000)
    }

    static let examples: [Example] = [
        Example(guest: "hello", output: "hello, world\n", longest: 100),
        Example(guest: "hello", irqchip: .none, output: "hello, world\n", longest: 100),
        Example(guest: "hello16", output: "hello, world\n", longest: 100),
        Example(guest: "hello32", irqchip: .split, output: "hello, world\n", longest: 100),
        timer(5, .full), timer(5, .split), smp(3, .full), smp(2, .split),
        dirty("--pattern random", passes: 300), dirty("--pattern sequential", passes: 300, irqchip: .none),
        dirty("--pattern hot", passes: 300, irqchip: .split), dirty("--pattern random", passes: 100, cpus: 2),
    ]

    @Test("A guest moves on and on, and its output is that of one that never moved", arguments: examples)
    func guestsGoOn(_ example: Example) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let transports: [Hop.Transport] = [.unix, .tcp, .pair]
        for _ in 0..<2 {
            var guest = try LiveMachine(example.guest, example.arguments) {
                $0.cpus = example.cpus
                $0.irqchip = example.irqchip
            }
            for number in 1...4 {
                usleep(UInt32.random(in: 1...example.longest, using: &random))
                let hop = Hop(transport: transports.randomElement(using: &random) ?? .unix)
                let ends = try hop.make(guest)
                let context: Comment = "seed \(seed), hop \(number)"
                if let failure = ends.source {
                    // The guest was faster.
                    #expect(guest.end.isGood, "\(failure), \(context)")
                    break
                }
                guest = ends.owner(guest)
            }
            #expect(guest.end.isGood, "\(guest.end), seed \(seed)")
            #expect(guest.console.text == example.output, "seed \(seed)")
        }
    }

    @Test("What was typed before a move and after it comes back once", arguments: MachineConfiguration.IRQChip.allCases)
    func echo(_ irqchip: MachineConfiguration.IRQChip) throws {
        var guest = try LiveMachine("echo", irqchip == .none ? ["poll"] : []) { $0.irqchip = irqchip }
        for word in ["one\n", "two\n", "three\n"] {
            guest.send(word)
            let ends = try Hop().make(guest)
            #expect(ends.source == nil && ends.destination == nil, "\(String(describing: ends.source))")
            guest = ends.owner(guest)
        }
        guest.send("four\n\u{4}")
        #expect(guest.end.isGood)
        #expect(guest.console.text == "ONE\nTWO\nTHREE\nFOUR\n")
    }

    @Test("A guest without an end or an exit moves from either ring", arguments: [[], ["user"]])
    func spin(_ arguments: [String]) throws {
        var guest = try LiveMachine("spin", arguments)
        #expect(guest.waitForLines(1, since: 0))
        for _ in 0..<3 {
            let ends = try Hop().make(guest)
            #expect(ends.source == nil, "\(String(describing: ends.source))")
            guest = ends.owner(guest)
            usleep(5_000)
            #expect(!guest.hasEnded)
        }
        #expect(guest.console.text == "spinning\n")
    }

    /// Tracking, channels, backends and transports, each with each that could mind it.
    static let ways: [(method: MachineConfiguration.DirtyTracking, hop: Hop)] = {
        var ways: [(MachineConfiguration.DirtyTracking, Hop)] = []
        for method in hostMethods {
            for (transport, channels) in [(Hop.Transport.unix, 1), (.tcp, 4), (.pair, 1), (.pipe, 1), (.file, 1)] {
                for backend in [IOBackend.plain, .ring] where backend == .plain || IOBackend.available == .ring {
                    var hop = Hop(transport: transport)
                    hop.parameters.channels = channels
                    hop.parameters.backend = backend
                    hop.destination.dirtyTracking = method
                    ways.append((method, hop))
                }
            }
        }
        return ways
    }()

    @Test("No way of moving loses a page", arguments: ways)
    func noPageIsLost(_ method: MachineConfiguration.DirtyTracking, _ hop: Hop) throws {
        var guest = try LiveMachine("dirty", ["--set", "4M", "--rate", "40M", "--pattern", "random"]) {
            $0.dirtyTracking = method
        }
        for _ in 0..<2 {
            #expect(guest.waitForLines(1))
            let ends = try hop.make(guest)
            #expect(ends.source == nil && ends.destination == nil, "\(String(describing: ends))")
            #expect(ends.progress.status == .completed && ends.progress.rounds.count >= 2)
            guest = ends.owner(guest)
        }
        guest.expectGoodEnd()
    }
    @Test("As many channels as there can be are opened, and carry a guest", arguments: [Hop.Transport.unix, .tcp])
    func manyChannels(_ transport: Hop.Transport) throws {
        var guest = try LiveMachine("dirty", ["--set", "4M", "--rate", "40M", "--pattern", "random"])
        #expect(guest.waitForLines(1))
        var hop = Hop(transport: transport)
        hop.parameters.channels = 64
        let ends = try hop.make(guest)
        #expect(ends.source == nil && ends.destination == nil, "\(String(describing: ends))")
        guest = ends.owner(guest)
        guest.expectGoodEnd()
    }
}
