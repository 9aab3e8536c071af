import VMState

/// Why a stream is refused, or cannot be sent.
public struct StreamError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        // Of frames.
        case magic(UInt32)
        case type(UInt16)
        /// What has to be 0 is not.
        case reservedBits
        /// A frame that may not come then.
        case unexpected(FrameType, StreamState)
        /// A payload that is longer than those of its type may be.
        case length(FrameType, UInt64)
        case sequence(UInt64, expected: UInt64)
        case checksum(FrameType)

        // Of messages.
        case otherMessage(FrameType)
        /// Not one record, but so many.
        case recordCount(FrameType, Int)
        case record(StateError)
        case coding(StateCodingError)
        /// A hello of the side that reads it.
        case side(MigrationID.Side)
        case versions(own: ProtocolVersions, others: ProtocolVersions)
        case digest(channel: Int)
        case digestCount(Int, expected: Int)

        // Of memory.
        case memory(MemoryError)
    }

    /// The number of the frame it is about.
    public let frame: UInt64
    /// Of that frame, in bytes from the start of the stream.
    public let offset: UInt64
    public let reason: Reason

    init(frame: UInt64, offset: UInt64, _ reason: Reason) {
        self.frame = frame
        self.offset = offset
        self.reason = reason
    }

    /// The peer's words in it cannot drive a terminal.
    public var description: String {
        String(printable: "\(reason), in frame \(frame) of the stream (at byte \(offset))", limit: 2048)
    }
}

extension StreamError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .magic(let magic): "0x\(String(magic, radix: 16)) is not how a frame of a migration begins"
        case .type(let type): "there is no type of frame \(type)"
        case .reservedBits: "bits are set that have no meaning yet"
        case .unexpected(let type, let state): "a frame of type \(type) cannot come \(state)"
        case .length(let type, let count):
            "a payload of \(count) bytes is longer than the \(type.largestPayload) that a frame of type \(type) may have"
        case .sequence(let number, let expected): "the frame is number \(number), and number \(expected) was to come"
        case .checksum(let type): "the checksum of a frame of type \(type) is wrong: it was damaged on its way"
        case .otherMessage(let type): "a frame of type \(type) has another message than the one wanted"
        case .recordCount(let type, let count): "a frame of type \(type) has \(count) records instead of one"
        case .record(let error): "\(error)"
        case .coding(let error): "\(error)"
        case .side(let side): "the hello is of a \(side), and the other side was to send it"
        case .versions(let own, let others):
            "the other side speaks version \(others) of the protocol, and this one version \(own); use programs of like age"
        case .digest(let channel): "channel \(channel) did not arrive as it was sent: the digests differ"
        case .digestCount(let count, let expected): "there are digests of \(count) channels instead of \(expected)"
        case .memory(let error): "\(error)"
        }
    }
}
