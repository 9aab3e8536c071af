import Glibc
import SystemPackage
import VMHost

/// Receives memory for the first time, by two threads: while one puts pages in place, for which the kernel has to find memory
/// and which takes longest, the other receives the next.
///
/// No page comes twice in a round, so frames need not be placed in their order.
final class FirstRound: Sendable {
    private let channel: DestinationChannel
    private let memory: TargetMemory
    /// What ended the receiving. Locked while a frame is waited for, as one thread at a time may do that.
    private let end = Monitor<Result<Frame, MigrationError>?>(nil)
    /// Of placing.
    private let failure = Monitor<MigrationError?>(nil)

    private static let stackSize = 256 << 10

    init(_ channel: DestinationChannel, _ memory: TargetMemory) {
        self.channel = channel
        self.memory = memory
    }

    /// - Parameter alone: whether the other processors have other things to do.
    /// - Returns: the first frame that is not memory, when the pages of those before it are in place.
    func receive(alone: Bool) throws(MigrationError) -> Frame {
        var room = PayloadRoom()
        if let first = next(&room) {
            // Without another thread, this one receives everything.
            let other = alone ? nil : try? HostThread.start(stackSize: Self.stackSize) { [self] in work() }
            place(first)
            work(&room)
            if let other { pthread_join(other, nil) }
        }
        if let failure = failure.withLock(\.self) { throw failure }
        return try end.wait(\.self).get()
    }

    private func work() {
        var room = PayloadRoom()
        work(&room)
    }

    private func work(_ room: inout PayloadRoom) {
        while let chunk = next(&room) { place(chunk) }
    }

    /// - Returns: nil when the round is over.
    private func next(_ room: inout PayloadRoom) -> MemoryChunk? {
        end.withLock { end in
            guard end == nil, failure.withLock({ $0 == nil }) else { return nil }
            do throws(MigrationError) {
                switch try channel.nextChunk(of: memory, &room) {
                case .chunk(let chunk): return chunk
                case .frame(let frame): end = .success(frame)
                }
            } catch {
                end = .failure(error)
            }
            return nil
        }
    }

    private func place(_ chunk: MemoryChunk) {
        do throws(MigrationError) {
            try memory.place(chunk)
        } catch {
            failure.withLock { if $0 == nil { $0 = error } }
            // The other thread has nothing to wait for any more; at a pipe it does until the next frame, or the time is over.
            channel.connection.endReceiving()
        }
    }
}
