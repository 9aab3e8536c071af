import Glibc
import VMHost

/// Somebody who has connected and not said yet what he wants: what he has sent is looked at, and left where it is.
final class WaitingVisitor {
    enum State {
        /// - hasBegun: whether a part of the hello is there.
        case waiting(hasBegun: Bool)
        /// A whole frame is there.
        case ready
        /// No hello will come.
        case stray(String)
    }

    private var endpoint: Endpoint?
    let descriptor: CInt
    /// Until when he has time.
    let deadline: MonotonicTime

    private static let longest = FrameHeader.byteCount + FrameType.hello.largestPayload

    init(_ endpoint: consuming Endpoint, until deadline: MonotonicTime) {
        descriptor = endpoint.descriptor
        self.endpoint = .some(endpoint)
        self.deadline = deadline
    }

    /// Gives up what the connection is made of. Nothing else may be called then.
    func take() -> Endpoint? { endpoint.take() }

    var state: State {
        withUnsafeTemporaryAllocation(byteCount: Self.longest, alignment: 8) { room in
            let count = recv(descriptor, room.baseAddress, room.count, CInt(MSG_PEEK | MSG_DONTWAIT))
            guard count != 0 else { return .stray("it was ended without a word") }
            guard count > 0 else {
                return [EAGAIN, EINTR].contains(errno) ? .waiting(hasBegun: false) : .stray("it was lost at once")
            }
            return Self.state(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
    }

    private static func state(_ bytes: UnsafeRawBufferPointer) -> State {
        let magic = withUnsafeBytes(of: FrameHeader.magic.littleEndian) { Array($0) }
        guard bytes.prefix(magic.count).elementsEqual(magic.prefix(bytes.count)) else {
            return .stray("what came is no migration")
        }
        guard bytes.count >= FrameHeader.byteCount, let start = bytes.baseAddress else {
            return .waiting(hasBegun: true)
        }
        let header = FrameHeader(start)
        guard header.type == FrameType.hello.rawValue, header.payloadCount <= FrameType.hello.largestPayload else {
            return .stray("it does not begin with a hello")
        }
        return bytes.count >= FrameHeader.byteCount + Int(header.payloadCount) ? .ready : .waiting(hasBegun: true)
    }
}
