import VMState

/// What a frame says, as one record.
public protocol StreamMessage: SavedPart, Hashable {
    static var frameType: FrameType { get }
}
