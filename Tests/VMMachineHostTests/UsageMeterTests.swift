import Glibc
import TestSupport
import Testing
import VMDirtyTracking
import VMHost

@testable import VMMachine

@Suite(
    .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)),
    .serialized, .timeLimit(.minutes(10)))
struct UsageMeterTests {
    /// Waits until a condition holds, for a minute at most.
    private func waitUntil(_ isDone: () -> Bool) {
        let deadline = MonotonicTime.now.advanced(by: .seconds(60))
        while !isDone(), .now < deadline { usleep(2000) }
    }

    @Test("The CPU time of a guest that works goes on, also where another vCPU sleeps")
    func times() throws {
        let machine = try makeMachine("spin") { configuration in
            configuration.arguments = ["user"]
            configuration.cpus = 2
        }
        let meter = UsageMeter(machine)
        let before = meter.vcpus
        #expect(before.count == 2)
        #expect(before.map(\.userTime) == [.zero, .zero] && before.map(\.systemTime) == [.zero, .zero])
        try machine.start()
        waitUntil { meter.vcpus[0].userTime ?? .zero > .milliseconds(50) }
        let usage = meter.vcpus.enumerated().map { $1.since(before[$0]) }
        #expect(usage[0].userTime ?? .zero > .milliseconds(50))
        #expect(usage[1].userTime ?? .zero < .milliseconds(50))
        #expect(usage[0].fullRings == nil)
        machine.stop()
        _ = machine.wait()
        #expect(meter.vcpus.allSatisfy { $0.userTime == nil && $0.systemTime == nil })
    }

    @Test("A vCPU that fills its ring is said to have, and to have been kept from the guest by that")
    func fullRings() throws {
        guard hostMethods.contains(.ring) else { return }
        let machine = try makeMachine("dirty") { configuration in
            configuration.arguments = ["--set", "32M", "--report", "0"]
            configuration.prepare(for: .ring, ringSize: 1024)
        }
        let meter = UsageMeter(machine)
        try machine.dirtyTracker.start()
        #expect(meter.vcpus[0].fullRings == 0)
        try machine.start()
        waitUntil { meter.vcpus[0].fullRings ?? 0 >= 5 }
        let usage = meter.vcpus[0]
        #expect(usage.fullRings ?? 0 >= 5)
        #expect(usage.fullRingTime ?? .zero > .zero)
        machine.stop()
        _ = machine.wait()
    }

    @Test("Time in which vCPUs are paused counts, once for several who pause them")
    func pauses() throws {
        let machine = try makeMachine("spin")
        let meter = UsageMeter(machine)
        try machine.start()
        #expect(meter.pausedTime == .zero)
        let start = MonotonicTime.now
        machine.pause()
        machine.pause()
        usleep(20_000)
        machine.resume()
        #expect(meter.pausedTime >= .milliseconds(20))
        machine.resume()
        let paused = meter.pausedTime
        #expect(paused >= .milliseconds(20) && paused <= .now - start)
        usleep(2000)
        #expect(meter.pausedTime == paused)
        machine.stop()
        _ = machine.wait()
    }
}

@Suite struct VCPUUsageTests {
    @Test("What is not known of one is not known of the sum")
    func unknown() {
        var first = VCPUUsage()
        first.userTime = .seconds(2)
        first.exits = 5
        var second = VCPUUsage()
        second.userTime = .seconds(3)
        let sum = first + second
        #expect(sum.userTime == .seconds(5) && sum.exits == nil && sum.pageFaults == nil)
        let later = second.since(first)
        #expect(later.userTime == .seconds(1) && later.exits == nil)
    }

    @Test("A count that goes back is no difference")
    func goingBack() {
        var first = VCPUUsage()
        first.exits = 5
        var second = VCPUUsage()
        second.exits = 4
        #expect(second.since(first).exits == 0)
    }
}
