import Glibc
import VMHost

extension Connection {
    /// Receives as many bytes as there is room for. Allocates nothing.
    /// - Throws: `.closed` where the stream ends before; another `TransportError`: an unknown part of the room was written
    ///   to then, and the stream is of no further use.
    public func read(exactly room: UnsafeMutableRawBufferPointer) throws(TransportError) {
        guard canReceive else { throw .oneWay(uri, .receiving) }
        let timeout = stallTimeout
        try receiving.withLock { (transfer: inout Transfer) throws(TransportError) in
            if cancellation.isCancelled { throw .cancelled(uri) }
            var filled = 0
            while filled < room.count {
                let count: Int
                do throws(TransferFailure) {
                    count = try transfer.read(
                        UnsafeMutableRawBufferPointer(rebasing: room[filled...]), stallingAfter: timeout)
                } catch {
                    throw self.error(error, .receiving)
                }
                guard count > 0 else { throw .closed(uri, received: filled, wanted: room.count) }
                filled += count
                received.wrappingAdd(UInt64(count), ordering: .relaxed)
            }
        }
    }

    /// Makes the reads in progress and later ones find the end of the stream, soon, where it is a socket's; what is written still
    /// gets through. Never waits.
    func endReceiving() {
        if endpoint.kind == .socket { shutdown(endpoint.descriptor, CInt(SHUT_RD)) }
    }
}
