import Glibc
import VMState

/// Sends the frames of one direction of a channel.
///
/// Threads: one at a time. Memory frames allocate nothing.
public struct FrameWriter<Sink: ByteSink>: ~Copyable {
    private let sink: Sink
    private let header: UnsafeMutableRawPointer
    private let pieces: UnsafeMutableBufferPointer<iovec>

    /// What the checksums start from: 0 until both sides know what to take instead, `MigrationID.seed(channel:from:)`.
    public var seed: UInt64
    /// How many frames were sent.
    public private(set) var frameCount: UInt64 = 0
    /// How many bytes were sent.
    public private(set) var byteCount: UInt64 = 0
    /// Of all frames that were sent.
    public private(set) var digest: UInt64 = 0

    public init(_ sink: Sink, seed: UInt64 = 0) {
        self.sink = sink
        self.seed = seed
        header = .allocate(byteCount: FrameHeader.byteCount, alignment: 8)
        pieces = .allocate(capacity: 2)
    }

    deinit {
        header.deallocate()
        pieces.deallocate()
    }

    /// Sends a frame.
    /// - Throws: `.stream` for a payload that is too long, and then nothing was sent; `.link`, after which nothing more can be.
    public mutating func send(
        _ type: FrameType, _ payload: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) throws(StreamFailure<Sink.Failure>) {
        guard payload.count <= type.largestPayload else {
            throw .stream(error(.length(type, UInt64(payload.count))))
        }
        let checksum = FrameHeader.write(type, payload, sequence: frameCount, seed: seed, to: header)
        pieces.initializeElement(at: 0, to: iovec(iov_base: header, iov_len: FrameHeader.byteCount))
        // The sink only reads.
        let base = UnsafeMutableRawPointer(mutating: payload.baseAddress)
        pieces.initializeElement(at: 1, to: iovec(iov_base: base, iov_len: payload.count))
        do throws(Sink.Failure) {
            try sink.write(UnsafeBufferPointer(start: pieces.baseAddress, count: payload.isEmpty ? 1 : 2))
        } catch {
            throw .link(error)
        }
        frameCount += 1
        byteCount += UInt64(FrameHeader.byteCount + payload.count)
        digest = StreamChecksum.digest(digest, followedBy: checksum)
    }

    /// Sends a message, in the frame it has.
    public mutating func send<Message: StreamMessage>(_ message: Message) throws(StreamFailure<Sink.Failure>) {
        try send(Message.frameType, MachineState([message.record()]))
    }

    /// Sends records.
    public mutating func send(_ type: FrameType, _ state: MachineState) throws(StreamFailure<Sink.Failure>) {
        let bytes = state.encoded
        try bytes.withUnsafeBufferPointer { (bytes) throws(StreamFailure<Sink.Failure>) in
            try send(type, UnsafeRawBufferPointer(bytes))
        }
    }

    /// An error about the next frame.
    func error(_ reason: StreamError.Reason) -> StreamError {
        StreamError(frame: frameCount, offset: byteCount, reason)
    }
}

// SAFETY: The buffers have this one owner, which is not copied, and are touched within its mutating methods only.
extension FrameWriter: @unchecked Sendable where Sink: Sendable {}
