import VMState

/// A frame as it was received: its header and checksum are right, its payload can be anything.
public struct Frame {
    public let type: FrameType
    /// Its number, from 0.
    public let sequence: UInt64
    /// Of its first byte, in the stream.
    public let offset: UInt64
    /// The digest of all frames before it: what an end or a complete frame says it to be.
    public let precedingDigest: UInt64
    /// Valid as long as the reader of the frame says.
    public let payload: UnsafeRawBufferPointer

    /// The message in it.
    /// - Throws: `StreamError` where the payload is not that message, and nothing else.
    public func message<Message: StreamMessage>(
        _ type: Message.Type = Message.self
    ) throws(StreamError) -> Message {
        guard self.type == Message.frameType else { throw error(.otherMessage(self.type)) }
        let records = try state().records
        guard records.count == 1 else { throw error(.recordCount(self.type, records.count)) }
        do throws(StateError) {
            return try Message(records[0])
        } catch {
            throw self.error(.record(error))
        }
    }

    /// The records in it.
    /// - Throws: `StreamError` where the payload is no records.
    public func state() throws(StreamError) -> MachineState {
        do throws(StateCodingError) {
            return try MachineState(decoding: payload)
        } catch {
            throw self.error(.coding(error))
        }
    }

    /// An error about it.
    func error(_ reason: StreamError.Reason) -> StreamError {
        StreamError(frame: sequence, offset: offset, reason)
    }

    /// - Throws: `StreamError`, where the other side has another digest of a channel than this one.
    public func check(_ digests: [UInt64], against own: [UInt64]) throws(StreamError) {
        guard digests.count == own.count else {
            throw error(.digestCount(digests.count, expected: own.count))
        }
        for channel in own.indices where digests[channel] != own[channel] {
            throw error(.digest(channel: channel))
        }
    }
}

@available(*, unavailable)
extension Frame: Sendable {}
