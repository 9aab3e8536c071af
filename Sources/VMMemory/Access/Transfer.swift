/// What an access does with the memory it finds.
enum Transfer {
    case read(into: UnsafeMutableRawPointer)
    case write(from: UnsafeRawPointer)
    case fill(with: UInt8)

    var isWrite: Bool {
        if case .read = self { return false }
        return true
    }

    var operation: GuestMemoryError.Operation {
        switch self {
        case .read: .read
        case .write: .write
        case .fill: .fill
        }
    }

    /// Does `count` bytes of it, after the first `done`, with the host memory at `host`.
    /// - Returns: the fault, where the host had one; some of the bytes are then done.
    @inline(__always)
    func perform(at host: UnsafeMutableRawPointer, count: Int, after done: Int) -> TryCopy.Fault? {
        switch self {
        case .read(let buffer): TryCopy.copy(fromGuest: host, to: buffer + done, count: count)
        case .write(let buffer): TryCopy.copy(toGuest: host, from: buffer + done, count: count)
        case .fill(let value): TryCopy.fill(host, with: value, count: count)
        }
    }

    /// Does `count` bytes of it, after the first `done`, by the backing's own calls.
    func fallBack(
        to access: any GuestMemoryAccess, offset: UInt64, count: Int, after done: Int
    ) throws(GuestMemoryBackingError) {
        switch self {
        case .read(let buffer):
            let part = UnsafeMutableRawBufferPointer(start: buffer + done, count: count)
            try access.readFallback(offset: offset, into: part)
        case .write(let buffer):
            try access.writeFallback(offset: offset, from: UnsafeRawBufferPointer(start: buffer + done, count: count))
        case .fill(let value):
            try access.fillFallback(offset: offset, count: UInt64(count), with: value)
        }
    }
}
