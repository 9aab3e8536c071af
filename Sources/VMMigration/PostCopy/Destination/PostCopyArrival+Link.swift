import VMHost

/// The link to the source: requests go out on it, and another takes its place where it is lost.
extension PostCopyArrival {
    /// How long a source that comes back is answered when there is nothing to send any more: it may not have heard of that.
    private static let lingeringTime = Duration.milliseconds(500)
    /// The same where the guest has ended while the link was lost.
    private static let farewellTime = Duration.seconds(2)
    /// How long to listen before looking at the machine again.
    private static let listeningTime = Duration.milliseconds(200)

    // MARK: Requests

    /// Somebody waits for a page.
    func handle(_ page: PageRun, at address: UInt) throws(MigrationError) {
        let isNew = awaited.insert(page)
        // It may have come before anybody could know that it was waited for.
        if received.containsAny(of: page) {
            awaited.remove(page) { _ in }
            return try memory.resolve(page, at: address)
        }
        if isNew { send { (channel) throws(MigrationError) in try channel.reply(PageRequest(page)) } }
    }

    func keepAlive() {
        send { (channel) throws(MigrationError) in try channel.reply(.keepalive) }
    }

    /// Sends where there is a link. Who receives on it finds out by himself that it is lost.
    private func send(_ body: (DestinationChannel) throws(MigrationError) -> Void) {
        link.withLock { channel in
            guard let open = channel else { return }
            do throws(MigrationError) {
                try body(open)
            } catch {
                open.connection.shutDown()
                channel = nil
            }
        }
    }

    /// Takes a link into use, and asks for all that is waited for.
    func attach(_ channel: DestinationChannel) {
        link.withLock { $0 = channel }
        for page in awaited.inOrder {
            send { (channel) throws(MigrationError) in try channel.reply(PageRequest(page)) }
        }
    }

    func detach(_ channel: DestinationChannel) {
        link.withLock { $0 = nil }
        channel.connection.shutDown()
    }

    // MARK: A link that was lost

    /// Waits for the source to come back.
    /// - Throws: `guestLost`, where it has not come in time, and the guest waits for a page; `guestEnded`.
    func reconnect(after error: MigrationError) throws(MigrationError) -> DestinationChannel {
        migration.record.pausePostCopy(error)
        let deadline = migration.recoverTimeout.map { MonotonicTime.now.advanced(by: $0) }
        var farewell: MonotonicTime?
        while true {
            if machine.hasEnded {
                let end = farewell ?? .now.advanced(by: Self.farewellTime)
                farewell = end
                if MonotonicTime.now >= end { throw .guestEnded }
            } else if let deadline, MonotonicTime.now >= deadline, !awaited.isEmpty {
                throw .guestLost(
                    missingPages: received.missingCount,
                    reason: "\(error), and the source has not come back for \(migration.recoverTimeout ?? .zero)")
            }
            if let channel = try accept(for: Self.listeningTime, after: error) { return channel }
        }
    }

    /// - Parameter loss: why the link was lost; nil where nothing is missing any more, and nobody has to know.
    /// - Returns: nil where the source has not come.
    private func accept(for time: Duration, after loss: MigrationError? = nil) throws(MigrationError)
        -> DestinationChannel?
    {
        guard let visitor = try migration.visitor(until: .now.advanced(by: time)) else { return nil }
        let channel = visitor.channel
        guard visitor.hello.migration == decision.migration, visitor.isReturning || visitor.isAsking else {
            migration.dismiss(visitor, "nothing is known here of the guest of that migration")
            return nil
        }
        do throws(MigrationError) {
            if visitor.isAsking {
                try visitor.tell(decision.verdict)
                return nil
            }
            try visitor.answer([PostCopy.feature, PostCopy.recovery])
            channel.beginRecovery()
            if loss != nil { migration.record.enter(.postcopyRecover) }
            try channel.sendMissing(received)
            if loss != nil { migration.record.beginPostCopy(pages: received.missingCount) }
            attach(channel)
            return channel
        } catch {
            channel.connection.shutDown()
            if let loss { migration.record.pausePostCopy(loss, attempt: error) }
            return nil
        }
    }

    /// Tells a source once more that all is here, which lost the link before it heard of that.
    func linger(_ channel: DestinationChannel) {
        defer { migration.stopListening() }
        var last: DestinationChannel? = channel
        while let channel = last {
            // It ends the link when it has heard.
            _ = try? channel.nextFrame()
            detach(channel)
            guard migration.uri.canBeRejoined else { return }
            last = try? accept(for: Self.lingeringTime)
            if let last { try? receive(on: last) }
        }
    }
}
