import VMAddressSpace
import VMHost
import VMMemory

/// A backing without a mapping: all of it is done by calls, each as a whole.
final class AccessCalls: GuestMemoryAccess {
    enum Call: Hashable, Sendable {
        case read(offset: UInt64, count: Int)
        case write(offset: UInt64, count: Int)
        case fill(offset: UInt64, count: UInt64)
        case compareExchange(offset: UInt64, size: Int)
    }

    private struct State {
        var bytes: [UInt8]
        var calls: [Call] = []
    }

    private let state: Monitor<State>
    /// A call that touches a byte from here on does its part before it, and throws.
    private let limit: UInt64
    let byteCount: UInt64

    init(pages: Int, failingFrom limit: UInt64 = .max) {
        byteCount = UInt64(pages) * 4096
        self.limit = limit
        state = Monitor(State(bytes: [UInt8](repeating: 0, count: pages * 4096)))
    }

    static let refusal = GuestMemoryBackingError("the call was refused")

    var mapping: UnsafeMutableRawPointer? { nil }
    var calls: [Call] { state.withLock { $0.calls } }
    var bytes: [UInt8] { state.withLock { $0.bytes } }

    func readFallback(offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(GuestMemoryBackingError) {
        let target = SendableBuffer(buffer)
        let done = state.withLock { state in
            state.calls.append(.read(offset: offset, count: target.buffer.count))
            let part = part(offset, UInt64(target.buffer.count))
            target.buffer.copyBytes(from: state.bytes[part])
            return part.count
        }
        guard done == buffer.count else { throw Self.refusal }
    }

    func writeFallback(offset: UInt64, from buffer: UnsafeRawBufferPointer) throws(GuestMemoryBackingError) {
        let done = state.withLock { state in
            state.calls.append(.write(offset: offset, count: buffer.count))
            let part = part(offset, UInt64(buffer.count))
            state.bytes.replaceSubrange(part, with: buffer.prefix(part.count))
            return part.count
        }
        guard done == buffer.count else { throw Self.refusal }
    }

    func fillFallback(offset: UInt64, count: UInt64, with value: UInt8) throws(GuestMemoryBackingError) {
        let done = state.withLock { state in
            state.calls.append(.fill(offset: offset, count: count))
            let part = part(offset, count)
            for index in part { state.bytes[index] = value }
            return part.count
        }
        guard done == count else { throw Self.refusal }
    }

    func compareExchangeFallback(
        offset: UInt64, size: Int, expected: UInt64, desired: UInt64
    ) throws(GuestMemoryBackingError) -> UInt64 {
        guard part(offset, UInt64(size)).count == size else { throw Self.refusal }
        return state.withLock { state in
            state.calls.append(.compareExchange(offset: offset, size: size))
            let start = Int(offset)
            let found = (0..<size).reversed().reduce(0) { $0 << 8 | UInt64(state.bytes[start + $1]) }
            if found == expected {
                for index in 0..<size { state.bytes[start + index] = UInt8(truncatingIfNeeded: desired >> (8 * index)) }
            }
            return found
        }
    }

    private func part(_ offset: UInt64, _ count: UInt64) -> Range<Int> {
        Int(offset)..<Int(max(offset, min(limit, offset + count)))
    }

    private struct SendableBuffer: @unchecked Sendable {
        // SAFETY: used within the call that it was handed to.
        let buffer: UnsafeMutableRawBufferPointer
        init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }
    }
}
