import Glibc
import SystemPackage
import VMHost
import VMMachine
import VMState

extension IncomingMigration {
    /// Waits for a source, and receives what it sends.
    ///
    /// - Parameters:
    ///   - connectTimeout: how long to wait for it; nil for ever.
    ///   - make: makes a machine of a model. What it throws is told to the source.
    /// - Returns: the machine, started.
    /// - Throws: `MigrationError`. The guest does not run here and never will, and the machine that was made is gone. Where
    ///   the source may have given it away, it has been answered by then, or has not asked for long enough.
    public func receive(
        connectTimeout: Duration? = nil, _ make: (MachineState) throws(MachineError) -> Machine
    ) throws(MigrationError) -> Machine {
        do throws(MigrationError) {
            return try receive(from: try newcomer(until: connectTimeout.map { .now.advanced(by: $0) }), make)
        } catch {
            stopListening()
            throw error
        }
    }

    // MARK: Visitors

    /// The next who has said hello.
    /// - Returns: nil where there is none before the deadline.
    func visitor(until deadline: MonotonicTime?) throws(MigrationError) -> Visitor? {
        guard let open = reception.withLock(\.self) else { throw .transport(.noFurtherConnection(uri)) }
        do throws(MigrationError) {
            return try open.next(until: deadline, cancellation)
        } catch .transport(.cancelled) {
            throw .cancelled
        }
    }

    func dismiss(_ visitor: Visitor, _ reason: String) {
        reception.withLock(\.self)?.dismiss(visitor, reason)
    }

    /// The first who wants to move a guest here.
    private func newcomer(until deadline: MonotonicTime?) throws(MigrationError) -> Visitor {
        while let visitor = try visitor(until: deadline) {
            if visitor.isNewcomer, visitor.hello.channel == 0 { return visitor }
            let reason =
                visitor.isNewcomer
                ? "the main channel has to come first" : "the guest of that migration is not here"
            dismiss(visitor, reason)
            // There is no other.
            guard uri.canBeRejoined else { throw .refused(by: .destination, reason) }
        }
        throw .transport(.timedOut(uri))
    }

    /// The other channels of a source that has come.
    private func extraChannels(of first: Visitor) throws(MigrationError) -> [DestinationChannel] {
        var channels: [DestinationChannel] = []
        let deadline = MonotonicTime.now.advanced(by: stallTimeout)
        while channels.count + 1 < first.hello.channelCount {
            guard let other = try visitor(until: deadline) else { throw .transport(.timedOut(uri)) }
            guard other.isNewcomer, other.hello.migration == first.hello.migration else {
                dismiss(other, "another guest is on its way here")
                continue
            }
            guard other.hello.channelCount == first.hello.channelCount, other.hello.channel == channels.count + 1 else {
                throw .refused(by: .destination, "channel \(other.hello.channel) is not the one that is due")
            }
            try other.answer(features)
            channels.append(other.channel)
        }
        return channels
    }

    // MARK: The guest

    private func receive(
        from source: Visitor, _ make: (MachineState) throws(MachineError) -> Machine
    ) throws(MigrationError) -> Machine {
        let decision = HandOverDecision(source.hello.migration)
        var desk: HandOverDesk?
        do throws(MigrationError) {
            try source.answer(features)
            onStage(.hello)
            let extra = try extraChannels(of: source)
            desk = try openDesk(source, decision)
            let machine = try arrive(source, extra, decision, make)
            settle(machine, desk, source.channel)
            return machine.started
        } catch {
            decision.decide(isRunning: false)
            desk?.close()
            source.channel.explain(error)
            source.channel.connection.shutDown()
            if let desk { answer(at: desk, after: error) }
            throw error
        }
    }

    private func openDesk(_ source: Visitor, _ decision: HandOverDecision) throws(MigrationError) -> HandOverDesk? {
        guard uri.canBeRejoined, let open = reception.withLock(\.self) else { return nil }
        let desk = try HandOverDesk(open, source, decision)
        try desk.open()
        return desk
    }

    private func arrive(
        _ source: Visitor, _ extra: [DestinationChannel], _ decision: HandOverDecision,
        _ make: (MachineState) throws(MachineError) -> Machine
    ) throws(MigrationError) -> ArrivingMachine.Arrived {
        let main = source.channel
        let model = try main.records(.description)
        let machine = try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in try make(model) }
        let memory = try TargetMemory(machine)
        let features = features
        let arrival =
            source.hello.features.contains(PostCopy.feature) && features.contains(PostCopy.feature)
            ? try PostCopyArrival(self, machine, memory, decision) : nil
        try main.reply(.accepted)
        onStage(.accepted)
        return try ArrivingMachine(machine, memory, main, extra, of: self, decision, arrival).run()
    }
}
