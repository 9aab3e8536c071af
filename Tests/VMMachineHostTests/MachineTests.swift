import BuiltInGuests
import Glibc
import KVM
import TestSupport
import Testing
import VMBoot
import VMMachine

@Suite(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .timeLimit(.minutes(10)))
struct MachineTests {
    @Test(arguments: MachineConfiguration.IRQChip.allCases)
    func aGuestThatHaltsEndsTheRun(_ irqchip: MachineConfiguration.IRQChip) throws {
        let console = CollectingConsole()
        let result = try makeMachine("hello", { $0.irqchip = irqchip }, console: console).run()
        guard case .halted = result.outcome else {
            Issue.record("\(result.outcome)")
            return
        }
        #expect(console.text == "hello, world\n")
        #expect(result.exits.first { $0.kind == "portWrite" }?.count == 13)
    }

    @Test func twoMachinesRunSideBySide() throws {
        let consoles = [CollectingConsole(), CollectingConsole()]
        let machines = try consoles.map { try makeMachine("hello", console: $0) }
        for machine in machines { try machine.start() }
        for machine in machines { _ = machine.wait() }
        #expect(consoles.map(\.text) == ["hello, world\n", "hello, world\n"])
    }

    @Test(arguments: ["spin", "spin user"])
    func aRunningGuestIsStoppedFromAnotherThread(_ line: String) throws {
        let machine = try makeMachine("spin") { $0.commandLine = line }
        try machine.start()
        usleep(20_000)
        machine.stop()
        guard case .stopped = machine.wait().outcome else {
            Issue.record("not stopped")
            return
        }
    }

    @Test func aGuestStoppedBeforeItsFirstInstructionNeverRuns() throws {
        let console = CollectingConsole()
        let machine = try makeMachine("hello", console: console)
        machine.stop()
        try machine.start()
        guard case .stopped = machine.wait().outcome else {
            Issue.record("not stopped")
            return
        }
        #expect(console.text.isEmpty)
    }

    @Test(arguments: [1, 2])
    func aPausedGuestStandsStillAndGoesOn(_ cpus: Int) throws {
        let console = CollectingConsole()
        let machine = try makeMachine(
            "dirty",
            {
                $0.cpus = cpus
                $0.arguments = ["--set", "64K", "--rate", "20M"]
            }, console: console)
        try machine.start()
        while console.count < 100 { usleep(1000) }
        for _ in 0..<5 {
            machine.pause()
            let before = console.count
            usleep(30_000)
            #expect(console.count == before)
            machine.resume()
            while console.count == before { usleep(1000) }
        }
        machine.stop()
        _ = machine.wait()
        #expect(!console.text.contains("CORRUPT"))
    }

    @Test func pausingAMachineThatHasNotStartedHoldsItsStart() throws {
        let console = CollectingConsole()
        let machine = try makeMachine("hello", console: console)
        machine.pause()
        try machine.start()
        usleep(20_000)
        #expect(console.text.isEmpty)
        #expect(machine.resume())
        #expect(!machine.resume())
        guard case .halted = machine.wait().outcome else {
            Issue.record("did not halt")
            return
        }
        #expect(console.text == "hello, world\n")
    }

    @Test func theTimeOfAMachineThatIsHeldBeginsWhenItIsReleased() throws {
        let machine = try makeMachine("timer") {
            $0.arguments = ["5"]
            $0.timeout = TimeLimit("1s")
        }
        try machine.startHeld()
        usleep(1_200_000)
        machine.release()
        let result = machine.wait()
        guard case .poweredOff = result.outcome else {
            Issue.record("\(result.outcome)")
            return
        }
        #expect(result.runTime < .milliseconds(1000))
    }

    @Test func aMachineThatIsHeldCanBeStopped() throws {
        let console = CollectingConsole()
        let machine = try makeMachine("hello", console: console)
        try machine.startHeld()
        machine.stop()
        guard case .stopped = machine.wait().outcome else {
            Issue.record("not stopped")
            return
        }
        #expect(console.text.isEmpty)
    }

    @Test func aMachineRunsOnce() throws {
        let machine = try makeMachine("hello")
        _ = try machine.run()
        #expect(throws: MachineError.self) { try machine.start() }
        guard case .halted = machine.wait().outcome else {
            Issue.record("the outcome changed")
            return
        }
    }

    @Test func aMachineStoppedBeforeItsStartHasNothingToWaitFor() throws {
        let machine = try makeMachine("hello")
        machine.stop()
        guard case .stopped = machine.wait().outcome else {
            Issue.record("not stopped")
            return
        }
    }

    @Test(arguments: MachineConfiguration.IRQChip.allCases)
    func aMachineLetGoOfStops(_ irqchip: MachineConfiguration.IRQChip) throws {
        let console = CollectingConsole()
        do {
            let machine = try makeMachine(
                "dirty",
                {
                    $0.irqchip = irqchip
                    $0.arguments = ["--set", "64K", "--rate", "20M"]
                }, console: console)
            try machine.start()
            while console.count < 100 { usleep(1000) }
        }
        usleep(100_000)
        let stopped = console.count
        usleep(100_000)
        #expect(console.count == stopped)
    }

    @Test func aGuestThatHaltsBeforeItsTimeoutHasHalted() throws {
        // It prints a tick every 10 ms, sleeping lightly, and ends before its time does.
        let result = try makeMachine("timer") {
            $0.arguments = ["5"]
            $0.timeout = TimeLimit("300s")
        }.run()
        guard case .poweredOff = result.outcome else {
            Issue.record("\(result.outcome)")
            return
        }
    }

    @Test func aTimeoutEndsTheRun() throws {
        let result = try makeMachine("spin") { $0.timeout = TimeLimit("50ms") }.run()
        guard case .timedOut = result.outcome else {
            Issue.record("\(result.outcome)")
            return
        }
        #expect(result.runTime >= .milliseconds(50))
    }

    @Test func memoryAboveTheHoleIsUsable() throws {
        let console = CollectingConsole()
        let result = try makeMachine(
            "dirty",
            {
                $0.memory = ByteSize(bytes: 3 << 30 | 64 << 20)
                $0.arguments = ["--set", "4M", "--base", "0x100000000", "--passes", "2"]
            }, console: console
        ).run()
        guard case .poweredOff = result.outcome else {
            Issue.record("\(result.outcome): \(console.text)")
            return
        }
        #expect(console.text.contains("pass 2 ok"))
    }

    @Test func inputReachesTheGuestAndIsTakenAsItHasRoom() throws {
        let console = CollectingConsole()
        let machine = try makeMachine("echo", console: console)
        try machine.start()
        let input = Array("hello, there\n".utf8) + [4]
        var sent = 0
        while sent < input.count {
            sent += input[sent...].withUnsafeBytes { machine.sendInput($0) }
            usleep(500)
        }
        _ = machine.wait()
        #expect(console.text == "HELLO, THERE\n")
    }

    @Test(arguments: [
        ("ud2", "execute_undefined_instruction"), ("null", "queue_length"), ("stack", "count_nodes"),
        ("wild-jump", "0xdeadb000"), ("div", "broken_divide_handler"),
    ])
    func aCrashIsReportedWithTheFunctionAtFault(_ kind: String, _ name: String) throws {
        let result = try makeMachine("fault") { $0.arguments = [kind] }.run()
        guard case .crashed(let report) = result.outcome else {
            Issue.record("\(result.outcome)")
            return
        }
        #expect(report.summary.contains(name))
        for title in ["code at rip", "page walk for rip", "backtrace", "last exits"] {
            #expect("\(report)".contains(title))
        }
    }

    @Test func theOtherCPUsOfACrashAreReportedToo() throws {
        let result = try makeMachine("fault") {
            $0.arguments = ["ud2"]
            $0.cpus = 3
        }.run()
        guard case .crashed(let report) = result.outcome else {
            Issue.record("\(result.outcome)")
            return
        }
        #expect(report.sections.last?.lines.count == 2)
    }

    @Test func manyMachinesComeAndGo() throws {
        for _ in 0..<20 {
            guard case .halted = try makeMachine("hello").run().outcome else {
                Issue.record("did not halt")
                return
            }
        }
    }
}
