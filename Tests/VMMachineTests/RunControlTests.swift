import Foundation
import Synchronization
import TestSupport
import Testing
import VMHost

@testable import VMMachine

/// The protocol between vCPU threads and those who control them, with threads that only pretend to run a guest.
@Suite(.timeLimit(.minutes(10)))
struct RunControlTests {
    /// Starts threads that check in whenever they should, and count their turns.
    private func start(_ count: Int, _ control: RunControl, turns: TurnCounter, sleep: RunControl.Sleep = .awake) {
        for _ in 0..<count {
            Thread.detachNewThread {
                while true {
                    if control.needsAttention, !control.checkpoint({ sleep }) { break }
                    turns.add()
                }
                control.threadEnded()
            }
        }
    }

    final class TurnCounter: Sendable {
        private let turns = Atomic<Int>(0)
        func add() { turns.wrappingAdd(1, ordering: .relaxed) }
        var value: Int { turns.load(ordering: .relaxed) }
    }

    private var soon: MonotonicTime { .now.advanced(by: .seconds(60)) }

    @Test func pausedThreadsStandStillUntilEachPauseIsUndone() {
        let control = RunControl()
        let turns = TurnCounter()
        #expect(control.begin(threads: 3))
        start(3, control, turns: turns)
        control.requestPause(.user)
        control.requestPause(.user)
        #expect(control.waitUntilParked(until: soon) == .awake)
        let parked = turns.value
        usleep(2000)
        #expect(turns.value == parked)
        #expect(control.resume(.user))
        usleep(2000)
        #expect(turns.value == parked)
        #expect(control.resume(.user))
        while turns.value == parked { usleep(100) }
        #expect(!control.resume(.user))
        control.end(.outcome(.stopped))
        #expect(control.waitUntilAllEnded(until: soon))
    }

    @Test func theFirstEndingIsTheOneThatCounts() {
        let control = RunControl()
        control.end(.outcome(.poweredOff))
        control.end(.outcome(.timedOut))
        guard case .outcome(.poweredOff)? = control.waitForEnding(until: nil) else {
            Issue.record("another ending won")
            return
        }
    }

    @Test func endingWakesThosePausedAndTheyDoNotRunAgain() {
        let control = RunControl()
        let turns = TurnCounter()
        #expect(control.begin(threads: 2))
        start(2, control, turns: turns)
        control.requestPause(.user)
        _ = control.waitUntilParked(until: soon)
        let parked = turns.value
        control.end(.outcome(.stopped))
        #expect(control.waitUntilAllEnded(until: soon))
        #expect(turns.value == parked)
    }

    @Test(
        arguments: [
            ([.forGood, .awake], .awake), ([.forGood, .light], .light), ([.light, .awake], .awake),
            ([.forGood, .forGood], .forGood),
        ] as [([RunControl.Sleep], RunControl.Sleep)])
    func theLightestSleeperDecides(_ sleeps: [RunControl.Sleep], _ lightest: RunControl.Sleep) {
        let control = RunControl()
        let turns = TurnCounter()
        #expect(control.begin(threads: sleeps.count))
        for sleep in sleeps { start(1, control, turns: turns, sleep: sleep) }
        control.requestPause(.user)
        #expect(control.waitUntilParked(until: soon) == lightest)
        control.end(.outcome(.stopped))
        #expect(control.waitUntilAllEnded(until: soon))
    }

    @Test func manyPausesFromManyThreadsLoseNobody() throws {
        let control = RunControl()
        let turns = TurnCounter()
        #expect(control.begin(threads: 2))
        start(2, control, turns: turns)
        try onThreads(4) { _ in
            for _ in 0..<200 {
                control.requestPause(.user)
                _ = control.waitUntilStandstill(until: soon)
                control.resume(.user)
            }
        }
        #expect(!control.isPaused)
        let before = turns.value
        while turns.value == before { usleep(100) }
        control.end(.outcome(.stopped))
        #expect(control.waitUntilAllEnded(until: soon))
    }

    @Test func aDeadlinePasses() {
        let control = RunControl()
        #expect(control.waitForEnding(until: .now.advanced(by: .milliseconds(5))) == nil)
        #expect(control.begin(threads: 1))
        #expect(!control.waitUntilAllEnded(until: .now.advanced(by: .milliseconds(5))))
    }

    @Test func aRunBeginsOnce() {
        let control = RunControl()
        #expect(control.begin(threads: 1))
        #expect(!control.begin(threads: 1))
    }

    @Test func whatTheHaltWatchHoldsNobodyElseLetsGo() {
        let control = RunControl()
        #expect(control.begin(threads: 1))
        control.setLookedAt(true)
        #expect(!control.resume(.user))
        #expect(control.needsAttention)
        control.setLookedAt(false)
        #expect(!control.needsAttention)
    }

    @Test func pausingBeforeTheStartReturnsAtOnce() {
        let control = RunControl()
        control.requestPause(.user)
        #expect(control.waitUntilStandstill(until: soon))
        PauseGate(control).pause(.user)
    }

    @Test func aPauseWaitsForThoseWhoHaveNotHeardOfTheEnd() {
        let control = RunControl()
        let gate = PauseGate(control)
        #expect(control.begin(threads: 2))
        // One ends the run, the other is still in the guest.
        control.end(.outcome(.poweredOff))
        control.threadEnded()
        let returned = SharedNumber()
        let pausing = TestThread {
            gate.pause(.user)
            returned.add(1)
        }
        usleep(50_000)
        #expect(returned.value == 0)
        control.threadEnded()
        pausing.join()
        #expect(returned.value == 1)
        #expect(control.waitUntilParked(until: soon) == .awake)
    }

    @Test func theHaltWatchNeedsNobodyToStandStillOnceTheRunHasEnded() {
        let control = RunControl()
        #expect(control.begin(threads: 1))
        control.end(.outcome(.poweredOff))
        #expect(control.waitUntilParked(until: .now) == .awake)
        #expect(!control.waitUntilStandstill(until: .now))
    }

    @Test func aResumeLetsGoOfNothingThatAChangeOfMemoryHolds() {
        let control = RunControl()
        control.requestPause(.memory)
        #expect(!control.resume(.user))
        #expect(control.isPaused && control.needsAttention)
        control.requestPause(.user)
        #expect(control.resume(.memory) && control.isPaused)
        #expect(control.resume(.user) && !control.isPaused)
    }
}
