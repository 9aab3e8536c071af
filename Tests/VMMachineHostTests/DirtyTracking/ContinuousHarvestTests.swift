import TestSupport
import Testing
import VMAddressSpace
import VMDirtyTracking

@testable import VMMachine

/// A guest that writes in ring 3 as fast as it can, and copies of its memory that are made of what is reported alone.
@Suite(
    .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .serialized, .timeLimit(.minutes(10)))
struct ContinuousHarvestTests {
    struct Load: CustomTestStringConvertible, Sendable {
        let method: DirtyTrackingMethod
        let pattern: String
        var cpus = 1

        var testDescription: String { "\(method.rawValue), \(pattern), \(cpus) CPUs" }

        static let all = hostMethods.flatMap { method in
            ["sequential", "random", "hot"].map { Load(method: method, pattern: $0) }
                + [
                    Load(method: method, pattern: "sequential", cpus: 2),
                    Load(method: method, pattern: "random", cpus: 2),
                ]
        }
    }

    @Test("While it is harvested again and again, a copy ends up equal to the guest's memory", arguments: Load.all)
    func copying(_ load: Load) async throws {
        let console = CollectingConsole()
        let machine = try makeMachine(
            "dirty",
            { configuration in
                // A second CPU takes a local APIC to be started.
                configuration.irqchip = load.cpus == 1 ? .none : .full
                configuration.cpus = load.cpus
                configuration.memory = ByteSize(bytes: 64 << 20)
                configuration.arguments = [
                    "--set", load.cpus == 1 ? "32M" : "8M", "--pattern", load.pattern, "--report", "0", "--cpus",
                    "\(load.cpus)",
                ]
                configuration.prepare(for: load.method, ringSize: 1024)
            }, console: console)
        let tracker = machine.dirtyTracker
        try machine.start()
        try await waitForPass(1, machine)
        try tracker.start(load.method)
        let copy = try MemoryCopy(machine)
        let first = try pass(machine)
        var round = DirtyRound()
        var rounds = 0
        while try pass(machine) < first + 3 || rounds < 20 {
            try tracker.harvest(into: &round)
            copy.take(round)
            rounds += 1
            try #require(!machine.control.hasEnded, "\(console.text.suffix(200))")
            // Two processors wait for each other, and must not be kept from theirs all the time.
            if load.cpus > 1 { try await Task.sleep(for: .milliseconds(1)) }
        }
        machine.pause()
        try tracker.harvest(into: &round)
        copy.take(round)
        #expect(copy.differences().isEmpty)

        // From here on, nothing is reported that was not written, but for pages of the guest's own.
        let exact = try MemoryCopy(machine)
        machine.resume()
        try await waitForPass(try pass(machine) + 2, machine)
        machine.pause()
        try tracker.harvest(into: &round)
        let changed = exact.differences()
        let reported = round.frames()
        #expect(changed.count > 1000 && changed.isSubset(of: reported))
        // Of the hot pages some have been written anew with what they had.
        if load.pattern != "hot" { #expect(reported.subtracting(changed).allSatisfy { $0 < 16 << 8 }) }
        machine.resume()
        try tracker.stop()
        machine.stop()
        let result = machine.wait()
        #expect(result.exits.contains { $0.kind == "dirtyRingFull" } == (load.method == .ring))
    }

    /// Waits until the guest has begun a pass: the first page's stamp says which it is in.
    private func waitForPass(_ number: UInt64, _ machine: Machine) async throws {
        for _ in 0..<60_000 where try pass(machine) < number { try await Task.sleep(for: .milliseconds(1)) }
        try #require(try pass(machine) >= number)
    }

    private func pass(_ machine: Machine) throws -> UInt64 {
        try machine.memory.load(GuestAddress(16 << 20), as: UInt64.self) & 0xfff_ffff
    }
}
