import Glibc
import VMDirtyTracking
import VMHost
import VMMachine
import VMMigration

/// Moves a guest that writes to its memory from this process to another, and watches.
struct MigrationDemo {
    let guest: DemoGuest
    let parameters: MigrationParameters
    let timeBefore: Duration
    let timeAfter: Duration

    /// How long the guest may take to get to its first words, over what it was told.
    private static let slack = Duration.seconds(60)

    /// - Throws: `Failure`, where nothing came of it. Nothing is left behind.
    func run() throws(Failure) -> MigrationRecording {
        let control = try ControlThread()
        let transcript = GuestTranscript()
        let machine = try GuestRun.machine(guest.configuration, console: transcript)
        let demo = DemoControl(machine)
        do {
            return try control.run(onEnd: demo.end) { () throws(Failure) in
                let ended = EndedRun()
                let waiter = try start(machine, ended)
                defer {
                    machine.stop()
                    pthread_join(waiter, nil)
                }
                return try run(machine, demo, transcript)
            }
        } catch {
            guard demo.hasEnded else { throw error }
            throw Failure(control.receivedSignal.map(ExitStatus.signal) ?? .interrupted, "interrupted")
        }
    }

    private func start(_ machine: Machine, _ ended: EndedRun) throws(Failure) -> pthread_t {
        do throws(MachineError) {
            try machine.start()
            return try ended.wait(for: machine)
        } catch {
            throw Failure(ExitStatus(error), "\(error)")
        }
    }

    private func run(
        _ machine: Machine, _ demo: DemoControl, _ transcript: GuestTranscript
    ) throws(Failure) -> MigrationRecording {
        let output = DemoOutput()
        try output.begin(self)
        try sleep(timeBefore, demo)
        guard !machine.hasEnded else {
            let words = transcript.checks.before.joined(separator: "; ")
            throw Failure(.hostFailure, "the guest ended before it was to move: \(words)")
        }
        let folder = try PrivateFolder()
        let socket = "unix:\(folder.path)/guest"
        let destination = try DestinationProcess(arguments: destinationArguments(socket), transcript)
        defer { destination.finish() }
        demo.add(destination)
        var recording = MigrationRecording(
            guest: guest, parameters: parameters, host: .current, method: machine.dirtyTracker.methods.first,
            timeBefore: timeBefore, timeAfter: timeAfter)
        (recording.progress, recording.heatmap) = try migrate(machine, to: socket, demo, destination)
        try output.showDowntime(recording)
        recording.ending = try finish(demo, destination)
        recording.checks = transcript.checks
        try output.showChecks(recording)
        return recording
    }

    private func destinationArguments(_ socket: String) -> [String] {
        // If this process is killed, the guest is not to run for ever.
        let limit = TimeLimit(timeAfter + guest.longestWait + Self.slack)
        return [
            "receive", socket, "--timeout", "\(limit)", "--io", parameters.backend.name,
            "--dirty-tracking", guest.tracking.rawValue,
        ]
    }

    // MARK: Steps

    private func migrate(
        _ machine: Machine, to socket: String, _ demo: DemoControl, _ destination: DestinationProcess
    ) throws(Failure) -> (MigrationProgress, Heatmap) {
        let recorder = try RoundRecorder(machine)
        let uri = try MigrationURI(socket, flag: "the destination")
        let migration: OutgoingMigration
        do throws(TransportError) {
            migration = try OutgoingMigration(
                machine, to: uri, parameters
            ) { round, _ in recorder.add(round) }
        } catch {
            throw Failure(.hostFailure, "\(error)")
        }
        demo.add(migration)
        let display = try RoundDisplay { migration.progress }
        do throws(MigrationError) {
            try migration.run()
        } catch {
            try display.end()
            let said = destination.message
            throw Failure(
                ExitStatus(error),
                "the guest did not move: \(error)" + (said.isEmpty ? "" : "; the destination said: \(said)"))
        }
        try display.end()
        return (migration.progress, recorder.heatmap)
    }

    /// Lets the guest run on, and ends it.
    private func finish(
        _ demo: DemoControl, _ destination: DestinationProcess
    ) throws(Failure) -> DestinationProcess.Ending? {
        try sleep(timeAfter, demo)
        destination.endGuest()
        let ending = destination.waitForEnding(until: .now.advanced(by: guest.longestWait))
        if demo.hasEnded { throw Failure(.interrupted, "interrupted") }
        return ending
    }

    private func sleep(_ duration: Duration, _ demo: DemoControl) throws(Failure) {
        do throws(DemoEnded) { try demo.sleep(duration) } catch { throw Failure(.interrupted, "interrupted") }
    }
}
