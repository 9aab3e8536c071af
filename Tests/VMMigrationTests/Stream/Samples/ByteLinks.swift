import Glibc
import VMMigration

/// A sink that keeps what it is given.
final class ByteRecorder: ByteSink {
    private(set) var bytes: [UInt8] = []

    func write(_ pieces: UnsafeBufferPointer<iovec>) throws(LinkEnd) {
        for piece in pieces {
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len))
        }
    }
}

/// A source that ends.
final class BytePlayer: ByteSource {
    private let bytes: [UInt8]
    private(set) var offset = 0
    /// Of all that were asked for at once.
    private(set) var largestRequest = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    func read(exactly room: UnsafeMutableRawBufferPointer) throws(LinkEnd) {
        largestRequest = max(largestRequest, room.count)
        guard room.count <= bytes.count - offset else { throw LinkEnd() }
        bytes.withUnsafeBytes {
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + room.count)]))
        }
        offset += room.count
    }
}

/// There are no more bytes.
struct LinkEnd: Error {}
