/// Receives the frames of one direction of a channel, from anybody: nothing it reads is believed before it was checked, and
/// no more is set aside for a frame than frames of its type may have.
///
/// Threads: one at a time. Memory frames allocate nothing.
public struct FrameReader<Source: ByteSource>: ~Copyable {
    private let source: Source
    private let header: UnsafeMutableRawPointer
    private var common: PayloadRoom
    /// For a payload that is longer, until the next frame.
    private var large: UnsafeMutableRawBufferPointer?

    /// What the checksums start from; see `FrameWriter.seed`.
    public var seed: UInt64
    /// How many frames were received.
    public private(set) var frameCount: UInt64 = 0
    /// How many bytes those frames have.
    public private(set) var byteCount: UInt64 = 0
    /// Of those frames.
    public private(set) var digest: UInt64 = 0

    public init(_ source: Source, seed: UInt64 = 0) {
        self.source = source
        self.seed = seed
        header = .allocate(byteCount: FrameHeader.byteCount, alignment: 8)
        common = PayloadRoom()
        large = nil
    }

    deinit {
        header.deallocate()
        large?.deallocate()
    }

    /// Waits for the next frame.
    ///
    /// - Parameter state: what may come. It goes on with the frame.
    /// - Returns: the frame. Its payload is valid until the next call, or the end of the reader.
    /// - Throws: `.stream` where the bytes are no frame, or one that may not come now; it is refused before its payload is
    ///   waited for where its header says enough. `.link`. The stream cannot be read on after either.
    public mutating func next(_ state: inout StreamState) throws(StreamFailure<Source.Failure>) -> Frame {
        large?.deallocate()
        large = nil

        try read(UnsafeMutableRawBufferPointer(start: header, count: FrameHeader.byteCount))
        let header = FrameHeader(self.header)
        let type: FrameType
        let following: StreamState
        do throws(StreamError) {
            (type, following) = try check(header, state)
        } catch {
            throw .stream(error)
        }

        let payload = room(Int(header.payloadCount))
        try read(payload)
        let checksum = FrameHeader.checksum(header: self.header, UnsafeRawBufferPointer(payload), seed: seed)
        guard checksum == header.checksum else { throw .stream(error(.checksum(type))) }

        let frame = Frame(
            type: type, sequence: frameCount, offset: byteCount, precedingDigest: digest,
            payload: UnsafeRawBufferPointer(payload))
        frameCount += 1
        byteCount += UInt64(FrameHeader.byteCount + payload.count)
        digest = StreamChecksum.digest(digest, followedBy: checksum)
        state = following
        return frame
    }

    /// Hands over the room of the last payload, which stays valid with it where the frame is one of memory.
    /// - Parameter other: takes its place.
    mutating func exchange(_ other: inout PayloadRoom) {
        swap(&common, &other)
    }

    /// Whatever can be refused before the payload is there.
    private func check(
        _ header: FrameHeader, _ state: StreamState
    ) throws(StreamError) -> (FrameType, following: StreamState) {
        guard header.magic == FrameHeader.magic else { throw error(.magic(header.magic)) }
        guard let type = FrameType(rawValue: header.type) else { throw error(.type(header.type)) }
        guard header.isReservedZero else { throw error(.reservedBits) }
        guard let following = state.following(type) else { throw error(.unexpected(type, state)) }
        guard header.payloadCount <= type.largestPayload else {
            throw error(.length(type, UInt64(header.payloadCount)))
        }
        guard header.sequence == frameCount else {
            throw error(.sequence(header.sequence, expected: frameCount))
        }
        return (type, following)
    }

    /// - Parameter count: checked against the type of the frame.
    private mutating func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if count <= common.bytes.count { return UnsafeMutableRawBufferPointer(rebasing: common.bytes[..<count]) }
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
        large = room
        return room
    }

    private func read(_ room: UnsafeMutableRawBufferPointer) throws(StreamFailure<Source.Failure>) {
        if room.isEmpty { return }
        do throws(Source.Failure) {
            try source.read(exactly: room)
        } catch {
            throw .link(error)
        }
    }

    private func error(_ reason: StreamError.Reason) -> StreamError {
        StreamError(frame: frameCount, offset: byteCount, reason)
    }
}

// SAFETY: The buffers have this one owner, which is not copied, and are written within its mutating methods only, by one thread
// at a time; one that is exchanged is whose it is from then on. Frames that point to them are not `Sendable`; `FirstRound`, which
// hands one to another thread nevertheless, does so when nobody reads any more.
extension FrameReader: @unchecked Sendable where Source: Sendable {}
