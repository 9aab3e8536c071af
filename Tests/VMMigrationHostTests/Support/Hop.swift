import Glibc
import TestSupport
import Testing
import VMDevices
import VMHost
import VMMachine
import VMMigration
import VMRegions
import VMState

/// One migration of a machine to another within the process.
struct Hop: Sendable, CustomTestStringConvertible {
    enum Transport: String, CaseIterable, Sendable {
        case unix, tcp, pair, pipe, file
    }

    var transport = Transport.unix
    var parameters = Self.usual
    var destination = MachineConfiguration.Restoring(timeout: LiveMachine.timeout)
    /// After how long the destination gives up a source that says nothing; nil for what the source takes.
    var destinationStallTimeout: Duration?
    /// How long the destination answers a source that asks what has become of its guest.
    var answerTimeout = Duration.seconds(20)
    /// How long it waits for the source to give the guest away.
    var destinationProgressTimeout = Duration.seconds(300)
    /// What the destination has ready; none for nothing.
    var preallocated: PreallocatedMemory?
    let ended = EndedSides()
    var onSource: @Sendable (SourceStage, OutgoingMigration) -> Void = { _, _ in }
    var onDestination: @Sendable (DestinationStage, IncomingMigration) -> Void = { _, _ in }
    /// Called with the machine that was made for the guest.
    var onMachine: @Sendable (Machine) throws(MachineError) -> Void = { (_) throws(MachineError) in }

    /// Nobody has to wait long for a peer that is gone.
    static let usual = MigrationParameters(
        downtimeLimit: .milliseconds(100), stallTimeout: .seconds(20), connectTimeout: .seconds(20))

    var testDescription: String {
        "\(transport), \(parameters.channels) channels, \(parameters.backend), \(destination.dirtyTracking)"
    }

    /// How it went on both sides.
    struct Ends: Sendable {
        var source: MigrationError?
        var destination: MigrationError?
        var arrived: LiveMachine?
        var progress: MigrationProgress
    }

    /// Moves the guest of a machine.
    func make(_ source: LiveMachine) throws -> Ends {
        switch transport {
        case .unix:
            let folder = try TemporaryFolder()
            return try make(source, at: MigrationURI("unix:" + folder.path("socket")))
        case .tcp:
            return try make(source, at: MigrationURI("tcp:127.0.0.1:0"))
        case .pair:
            var ends: [CInt] = [-1, -1]
            try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
            return try make(source, at: MigrationURI("fd:\(ends[0])"), to: MigrationURI("fd:\(ends[1])"))
        case .pipe:
            var ends: [CInt] = [-1, -1]
            try #require(pipe(&ends) == 0)
            return try make(source, at: MigrationURI("fd:\(ends[0])"), to: MigrationURI("fd:\(ends[1])"))
        case .file:
            return try makeThroughFile(source)
        }
    }

    /// - Parameter target: where the source connects to; nil for where the destination listens.
    func make(_ source: LiveMachine, at uri: MigrationURI, to target: MigrationURI? = nil) throws -> Ends {
        let incoming = try incoming(at: uri)
        let outgoing = try outgoing(source, to: target ?? incoming.value.uri)
        let arrival = try Arrival(incoming.value, destination, source.console, ended, preallocated, onMachine)
        let failure = Self.failure { () throws(MigrationError) in try outgoing.value.run() }
        ended.noteSource()
        // One that nobody has come to would wait for ever.
        if failure != nil { arrival.giveUp() }
        let ends = arrival.end(Ends(source: failure, progress: outgoing.value.progress))
        // They refer to themselves, and to a machine with all of its address space.
        outgoing.clear()
        incoming.clear()
        return ends
    }

    private func makeThroughFile(_ source: LiveMachine) throws -> Ends {
        let folder = try TemporaryFolder()
        let uri = try MigrationURI("file:" + folder.path("stream"))
        let outgoing = try outgoing(source, to: uri)
        let failure = Self.failure { () throws(MigrationError) in try outgoing.value.run() }
        let ends = Ends(source: failure, progress: outgoing.value.progress)
        outgoing.clear()
        guard failure == nil else { return ends }
        return try Arrival(incoming(at: uri).value, destination, source.console, ended, preallocated).end(ends)
    }

    static func failure(_ body: () throws(MigrationError) -> Void) -> MigrationError? {
        do throws(MigrationError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    private func outgoing(_ source: LiveMachine, to uri: MigrationURI) throws -> Reference<OutgoingMigration> {
        let made = Reference<OutgoingMigration>()
        made.set(
            try OutgoingMigration(
                source.machine, to: uri, parameters, onStage: { [onSource] in onSource($0, made.value) }))
        return made
    }

    private func incoming(at uri: MigrationURI) throws -> Reference<IncomingMigration> {
        let made = Reference<IncomingMigration>()
        made.set(
            try IncomingMigration(
                at: uri, stallTimeout: destinationStallTimeout ?? parameters.stallTimeout, backend: parameters.backend,
                progressTimeout: destinationProgressTimeout, answerTimeout: answerTimeout,
                onStage: { [onDestination] in onDestination($0, made.value) }))
        return made
    }
}

/// Which sides of a migration are through with it, for the other to wait for.
final class EndedSides: Sendable {
    private struct Sides {
        var source = false
        var destination = false
    }

    private let sides = Monitor(Sides())
    /// Against hangs alone.
    private static let patience = Duration.seconds(30)

    func noteSource() { sides.change { $0.source = true } }
    func noteDestination() { sides.change { $0.destination = true } }

    func waitForSource() {
        _ = sides.wait(until: .now.advanced(by: Self.patience)) { $0.source ? true : nil }
    }

    func waitForDestination() {
        _ = sides.wait(until: .now.advanced(by: Self.patience)) { $0.destination ? true : nil }
    }
}

/// What a closure refers to that is made before it.
final class Reference<Value: AnyObject & Sendable>: Sendable {
    private let held = Monitor<Value?>(nil)

    var value: Value {
        guard let value = held.withLock(\.self) else { preconditionFailure("nothing was set") }
        return value
    }

    func set(_ value: Value) {
        held.withLock { $0 = value }
    }

    func clear() {
        held.withLock { $0 = nil }
    }
}

/// A destination at work in a thread.
final class Arrival: Sendable {
    private struct State {
        var machine: LiveMachine?
        var failure: MigrationError?
        var hasEnded = false
    }

    private let migration: IncomingMigration
    private let state = Monitor(State())
    private let thread = Monitor<pthread_t?>(nil)

    init(
        _ migration: IncomingMigration, _ restoring: MachineConfiguration.Restoring, _ console: SharedConsole,
        _ ended: EndedSides, _ preallocated: PreallocatedMemory? = nil,
        _ onMachine: @escaping @Sendable (Machine) throws(MachineError) -> Void = { (_) throws(MachineError) in }
    ) throws {
        self.migration = migration
        let started = try HostThread.start(stackSize: 1 << 20) { [self] in
            do throws(MigrationError) {
                let machine = try migration.receive { (model) throws(MachineError) in
                    let machine = try Machine(
                        restoring: model, restoring, console: console,
                        backing: { (saved) throws(RegionBackingError) in
                            try RegionBacking(empty: saved, from: preallocated)
                        })
                    try onMachine(machine)
                    return machine
                }
                state.change { $0.machine = try? LiveMachine(started: machine, console) }
            } catch {
                state.change { $0.failure = error }
            }
            state.change { $0.hasEnded = true }
            ended.noteDestination()
        }
        thread.withLock { $0 = started }
    }

    /// Cancels it, unless it ends by itself within a moment.
    func giveUp() {
        let hasEnded: Bool? = state.wait(until: .now.advanced(by: .seconds(1))) { $0.hasEnded ? true : nil }
        if hasEnded == nil { migration.cancel() }
    }

    func end(_ ends: Hop.Ends) -> Hop.Ends {
        if let started = thread.withLock(\.self) { pthread_join(started, nil) }
        var ends = ends
        state.withLock {
            ends.destination = $0.failure
            ends.arrived = $0.machine
            $0.machine = nil
        }
        return ends
    }
}
