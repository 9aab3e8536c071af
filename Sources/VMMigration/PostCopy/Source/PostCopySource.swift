import Glibc
import SystemPackage
import VMHost

/// Sends the pages that the guest lacks, which runs at the destination by now: those it waits for first.
///
/// This side's machine stands still for good. Its memory is the only place that these pages are at, so it is kept until the
/// destination says that it has them all.
final class PostCopySource: Sendable {
    private let migration: OutgoingMigration
    private let memory: SourceMemory
    private let link: SourceLink
    private let pending: PendingPages

    /// A thread that reads requests.
    private static let stackSize = 256 << 10
    /// Between two attempts to reach the destination again.
    private static let pause = Duration.milliseconds(100)

    init(_ migration: OutgoingMigration, _ memory: SourceMemory, _ link: SourceLink, _ pending: PendingPages) {
        self.migration = migration
        self.memory = memory
        self.link = link
        self.pending = pending
    }

    /// Returns when the destination has all, or needs no more.
    /// - Throws: `guestLost`, where it was given up.
    func run() throws(MigrationError) {
        var channel = link.main
        while true {
            do throws(MigrationError) {
                return try send(on: channel)
            } catch {
                channel.connection.shutDown()
                channel = try reconnect(after: error)
            }
        }
    }

    // MARK: Sending

    private func send(on channel: SourceChannel) throws(MigrationError) {
        let reader: pthread_t
        channel.hasOwnReader = true
        do throws(Errno) {
            reader = try HostThread.start(stackSize: Self.stackSize) { [self] in readReplies(on: channel) }
        } catch {
            throw .thread(error)
        }
        defer {
            channel.connection.shutDown()
            pthread_join(reader, nil)
        }
        do throws(MigrationError) {
            try sendPages(on: channel)
        } catch {
            // Where the reader has ended the link, its reason is the one that counts.
            throw pending.fail(error)
        }
    }

    private func sendPages(on channel: SourceChannel) throws(MigrationError) {
        let pages = FirstCopy(memory, channel, 1)
        let before = channel.counts
        while true {
            switch try pending.next() {
            case .send(let run, let requested):
                try pages.send(run)
                guard let requested else { continue }
                try channel.flush()
                migration.record.add(latency: .now - requested)
            case .complete:
                try channel.flush()
                try channel.send(Complete(digest: channel.digest, sent: channel.counts - before))
                try checkEnd(try pending.waitForEnd(), channel)
                return
            case .ended: return
            }
        }
    }

    /// Whether what the destination has is what was sent.
    private func checkEnd(_ ending: PendingPages.Ending, _ channel: SourceChannel) throws(MigrationError) {
        guard case .received(let digest) = ending else { return }
        guard digest == channel.digest else {
            throw .refused(by: .source, "the destination has received something else than was sent")
        }
    }

    /// Reads what the destination says, until it ends, or the link does.
    private func readReplies(on channel: SourceChannel) {
        do throws(MigrationError) {
            while try handle(try channel.nextFrame()) {}
        } catch {
            pending.fail(error)
            // Whoever writes may wait for a peer that reads nothing more.
            channel.connection.shutDown()
        }
    }

    /// - Returns: whether more may come.
    private func handle(_ frame: Frame) throws(MigrationError) -> Bool {
        let ending: PendingPages.Ending
        switch frame.type {
        case .pageRequest:
            let run = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
                try frame.request(of: pending.blocks)
            }
            try pending.request(run)
            return true
        case .missing:
            let missing = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
                try MissingPages(frame, of: pending.blocks)
            }
            try pending.add(missing)
            if missing.isLast { migration.record.beginPostCopy(pages: pending.count) }
            return true
        case .released: ending = .released
        default:
            let received: Received = try MigrationError.wrap(MigrationError.stream) { () throws(StreamError) in
                try frame.message()
            }
            ending = .received(digest: received.digest)
        }
        pending.end(ending)
        return false
    }

    // MARK: A link that was lost

    /// Tries until the destination is there again, or somebody gives it up.
    private func reconnect(after error: MigrationError) throws(MigrationError) -> SourceChannel {
        let missing = pending.count
        guard migration.uri.canBeRejoined else {
            throw .guestLost(
                missingPages: missing, reason: "\(error), and there is no connecting to \(migration.uri) again")
        }
        migration.record.pausePostCopy(error)
        while true {
            do throws(MigrationError) {
                let channel = try link.reconnect()
                migration.record.enter(.postcopyRecover)
                pending.beginList()
                return channel
            } catch .cancelled {
                throw .guestLost(missingPages: missing, reason: "\(error), and it was given up (cancelled)")
            } catch let next {
                migration.record.pausePostCopy(error, attempt: next)
                try wait(missing, error)
            }
        }
    }

    private func wait(_ missing: UInt64, _ error: MigrationError) throws(MigrationError) {
        do throws(TransferFailure) {
            try migration.cancellation.wait(for: 0, on: -1, until: .now.advanced(by: Self.pause))
        } catch .cancelled {
            throw .guestLost(missingPages: missing, reason: "\(error), and it was given up (cancelled)")
        } catch {
            // The time is over.
        }
    }
}

extension Frame {
    /// The pages that a request in it asks for.
    fileprivate func request(of blocks: [RAMBlock]) throws(StreamError) -> PageRun {
        let request: PageRequest = try message()
        do throws(MemoryError) {
            return try request.run(in: blocks)
        } catch {
            throw self.error(.memory(error))
        }
    }
}
