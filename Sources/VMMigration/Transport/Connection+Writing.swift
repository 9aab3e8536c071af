import Glibc
import SystemPackage
import VMHost

extension Connection {
    /// Sends all bytes of all pieces, in their order. Any number of pieces, empty ones among them, is possible. Allocates
    /// nothing.
    /// - Throws: `TransportError`: an unknown part was sent then, and the stream is of no further use.
    public func write(_ pieces: UnsafeBufferPointer<iovec>) throws(TransportError) {
        guard canSend else { throw .oneWay(uri, .sending) }
        if endpoint.kind == .pipe || endpoint.kind == .device {
            try BrokenPipeSignal.suppressed { () throws(TransportError) in try send(pieces) }
        } else {
            try send(pieces)
        }
    }

    /// Sends these bytes.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(TransportError) {
        // The kernel only reads what a piece that is sent points at.
        var piece = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        try withUnsafePointer(to: &piece) { (piece) throws(TransportError) in
            try write(UnsafeBufferPointer(start: piece, count: 1))
        }
    }

    private func send(_ pieces: UnsafeBufferPointer<iovec>) throws(TransportError) {
        let timeout = stallTimeout
        try sending.withLock { (side: inout SendingSide) throws(TransportError) in
            guard !side.isFinished else { throw .finished(uri) }
            var rest = pieces[...]
            // Also with nothing to send, so that no call after cancelling succeeds.
            if cancellation.isCancelled { throw .cancelled(uri) }
            while true {
                rest = rest.dropFirst(side.window.fill(from: rest))
                guard !side.window.isEmpty else { return }
                while !side.window.isEmpty {
                    do throws(TransferFailure) {
                        let count = try side.transfer.write(side.window.pieces, stallingAfter: timeout)
                        side.window.drop(count)
                        sent.wrappingAdd(UInt64(count), ordering: .relaxed)
                    } catch {
                        throw self.error(error, .sending)
                    }
                }
            }
        }
    }

    /// Ends the sending, once all is sent.
    ///
    /// A file that `connect` created is made durable and gets its name: without this call nothing is left of it. A socket's
    /// sending side is shut down, so that the peer sees the end; a pipe ends when the connection goes away. Later writes
    /// throw. Calling it again, or on a connection that only receives, does nothing.
    /// - Throws: `.file` or `.diskFull` where the file could not be finished: then what was under its name before is still
    ///   there; `.lost` where the socket has lost its peer already; `.cancelled`.
    public func finish() throws(TransportError) {
        guard canSend else { return }
        try sending.withLock { (side: inout SendingSide) throws(TransportError) in
            guard !side.isFinished else { return }
            if cancellation.isCancelled { throw .cancelled(uri) }
            switch endpoint.kind {
            case .socket:
                guard shutdown(endpoint.descriptor, CInt(SHUT_WR)) == 0 else { throw .lost(uri, .sending, .last) }
            case .file:
                if let output = side.output {
                    try output.publish()
                } else {
                    try OutputFile.sync(endpoint.descriptor, "writing to the disk", uri)
                }
            case .pipe, .device: break
            }
            side.isFinished = true
        }
    }
}
