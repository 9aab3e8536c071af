import Glibc
import TestSupport
import VMHost
import VMMigration

/// Somebody between the two sides of a migration, who knows its frames, and does something to one of them.
final class Relay: Sendable {
    /// What is done.
    enum Fault: String, Hashable, Sendable, CaseIterable {
        /// Both connections are closed.
        case cut
        /// One bit is another.
        case flip
        /// Nothing goes this way any more.
        case silence
    }

    /// Where it is done.
    struct Point: Hashable, Sendable {
        enum Place: String, Hashable, Sendable, CaseIterable {
            case firstByte, headerMiddle, firstOfPayload, lastByte
            /// Once it has gone through; nothing can be flipped there.
            case after
        }

        let type: FrameType
        var place = Place.firstByte
        /// Of frames of the type, which one.
        var number = 0
        /// Of several channels, which one; nil for whichever comes to it first.
        var channel: Int?
        var direction: TransferDirection {
            switch type {
            case .accepted, .roundDone, .ready, .running, .verdict: .receiving
            default: .sending
            }
        }
    }

    private struct State {
        var sockets: [CInt] = []
        var threads: [pthread_t] = []
        var connectionCount = 0
        var hasStruck = false
        /// Whether nobody gets through any more.
        var isCutOff = false
        var lastChannel = -1
        /// The last of the channels that are cut.
        var lastCutChannel = -1
    }

    private let fault: Fault
    private let point: Point
    private let target: RelaySocket.Address
    private let listener: CInt
    /// Where it listens.
    let uri: MigrationURI
    private let cutsOff: Bool
    private let state = Monitor(State())
    private let folder: TemporaryFolder

    /// - Parameters:
    ///   - target: where the destination listens.
    ///   - cutsOff: whether nobody gets through any more once it has struck, until it is repaired.
    init(_ fault: Fault, at point: Point, to target: MigrationURI, cutsOff: Bool = false) throws {
        self.fault = fault
        self.point = point
        self.cutsOff = cutsOff
        self.target = try RelaySocket.Address(target)
        folder = try TemporaryFolder()
        let path = folder.path("relay")
        switch self.target {
        case .unix: (listener, uri) = (try RelaySocket.listening(at: path), try MigrationURI("unix:" + path))
        case .tcp: (listener, uri) = try RelaySocket.listening()
        }
        let started = try HostThread.start(stackSize: 1 << 20) { [self] in accept() }
        state.withLock { $0.threads.append(started) }
    }

    /// Whether it has done what it was there for.
    var hasStruck: Bool { state.withLock(\.hasStruck) }

    /// How many have got through.
    var connectionCount: Int { state.withLock(\.connectionCount) }

    /// Lets everybody through again.
    func repair() {
        state.withLock { $0.isCutOff = false }
    }

    /// Ends it.
    func end() {
        shutdown(listener, CInt(SHUT_RDWR))
        cut()
        while let thread = state.withLock({ $0.threads.popLast() }) { pthread_join(thread, nil) }
        for socket in state.withLock(\.sockets) { close(socket) }
        close(listener)
    }

    private func accept() {
        for channel in 0... {
            let source = Glibc.accept(listener, nil, nil)
            guard source >= 0 else { return }
            guard !state.withLock(\.isCutOff), let destination = try? RelaySocket.connected(to: target) else {
                close(source)
                continue
            }
            state.withLock { $0.lastChannel = channel }
            for (from, to, direction) in [
                (source, destination, TransferDirection.sending), (destination, source, .receiving),
            ] {
                guard
                    let thread = try? HostThread.start(stackSize: 1 << 20, { self.carry(from, to, direction, channel) })
                else { continue }
                state.withLock { $0.threads.append(thread) }
            }
            state.withLock {
                $0.sockets += [source, destination]
                $0.connectionCount += 1
            }
        }
    }

    private func cut() {
        for socket in state.withLock(\.sockets) { shutdown(socket, CInt(SHUT_RDWR)) }
    }

    private func carry(_ from: CInt, _ to: CInt, _ direction: TransferDirection, _ channel: Int) {
        let isMeant = point.direction == direction && (point.channel ?? channel) == channel
        var search = isMeant ? PointSearch(point) : nil
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = read(from, &buffer, buffer.count), count > 0 {
            guard let offset = search?.offset(in: buffer[..<count]) else {
                guard channel > state.withLock(\.lastCutChannel) else { return }
                guard RelaySocket.writeAll(buffer[..<count], to: to) else { break }
                continue
            }
            search = nil
            state.withLock {
                $0.hasStruck = true
                $0.isCutOff = cutsOff
                // Before the frame goes through: the answer to it must not come back the other way.
                if fault == .cut { $0.lastCutChannel = $0.lastChannel }
            }
            switch fault {
            case .cut:
                _ = RelaySocket.writeAll(buffer[..<offset], to: to)
                return cut()
            case .silence:
                _ = RelaySocket.writeAll(buffer[..<offset], to: to)
                return
            case .flip:
                buffer[min(offset, count - 1)] ^= 0x10
                guard RelaySocket.writeAll(buffer[..<count], to: to) else { return }
            }
        }
        shutdown(to, CInt(SHUT_WR))
    }
}

/// Finds a point in a stream of frames that comes piece by piece.
private struct PointSearch {
    private let point: Relay.Point
    private var header: [UInt8] = []
    private var payloadLeft = 0
    /// Of the frame that is searched for, how many bytes are still before the point.
    private var distance: Int?
    private var seen = 0
    private static let headerCount = 32

    init(_ point: Relay.Point) {
        self.point = point
    }

    /// Where in the next piece it is.
    mutating func offset(in bytes: ArraySlice<UInt8>) -> Int? {
        var offset = 0
        while offset < bytes.count {
            let left = bytes.count - offset
            if let before = distance {
                if before < left || (before == left && point.place == .after) { return offset + before }
                distance = before - left
                return nil
            }
            if payloadLeft > 0 {
                let passed = min(payloadLeft, left)
                payloadLeft -= passed
                offset += passed
                continue
            }
            header.append(bytes[bytes.startIndex + offset])
            offset += 1
            // The type is known from there on.
            if header.count == 8, isWanted, [.firstByte, .headerMiddle].contains(point.place) {
                return point.place == .firstByte ? max(0, offset - 8) : offset - 1
            }
            guard header.count == Self.headerCount else { continue }
            payloadLeft = header[8..<12].reversed().reduce(0) { $0 << 8 | Int($1) }
            if isWanted {
                switch point.place {
                case .firstByte, .headerMiddle: break
                // Where there is no payload, what is last is of the header, and has gone if it came in another piece.
                case .firstOfPayload: if payloadLeft == 0 { return offset - 1 } else { distance = 0 }
                case .lastByte: if payloadLeft == 0 { return offset - 1 } else { distance = payloadLeft - 1 }
                case .after: if payloadLeft == 0 { return offset } else { distance = payloadLeft }
                }
            }
            if type == point.type.rawValue { seen += 1 }
            header = []
        }
        return nil
    }

    private var type: UInt16 { UInt16(header[4]) | UInt16(header[5]) << 8 }
    private var isWanted: Bool { type == point.type.rawValue && seen == point.number }
}
