import Glibc
import TestSupport
import Testing
import VMHost
import VMMachine
import VMMigration
import VMState

/// The frames of a real migration, to be sent again with something in them changed.
struct RecordedStream {
    struct Part {
        var type: FrameType
        var payload: [UInt8]

        /// The records in it.
        var state: MachineState {
            get { (try? MachineState(decoding: payload)) ?? MachineState() }
            set { payload = newValue.encoded }
        }
    }

    /// As it was.
    let original: [UInt8]
    var parts: [Part] = []
    private var migration: MigrationID

    /// Records the migration of a machine into a file; the machine has ended then.
    init(_ guest: LiveMachine) throws {
        let folder = try TemporaryFolder()
        try OutgoingMigration(guest.machine, to: MigrationURI("file:" + folder.path("stream"))).run()
        original = try folder.contents("stream")
        var reader = FrameReader(Recording(original))
        var state = StreamState(.main)
        let hello = try reader.next(&state)
        migration = try hello.message(Hello.self).migration
        parts.append(Part(type: hello.type, payload: Array(hello.payload)))
        reader.seed = migration.seed(channel: 0, from: .source)
        while state.phase != .settling {
            let frame = try reader.next(&state)
            parts.append(Part(type: frame.type, payload: Array(frame.payload)))
        }
    }

    /// Where each frame starts in the original.
    var offsets: [Int] {
        var offset = 0
        return parts.map { part in
            defer { offset += 32 + part.payload.count }
            return offset
        }
    }

    /// The frames with checksums, numbers and digests that are right.
    func encoded() throws -> [UInt8] {
        let sink = RecordingSink()
        var writer = FrameWriter(sink)
        for part in parts {
            if part.type == .end {
                try writer.send(End(digests: [writer.digest], sent: PageCounts()))
            } else {
                try part.payload.withUnsafeBytes { try writer.send(part.type, $0) }
            }
            if part.type == .hello { writer.seed = migration.seed(channel: 0, from: .source) }
        }
        return sink.bytes
    }

    /// The same with other records in one of its frames.
    func changed(_ type: FrameType, _ change: (MachineState) -> MachineState) throws -> [UInt8] {
        var copy = self
        let index = try #require(copy.parts.firstIndex { $0.type == type })
        copy.parts[index].state = change(copy.parts[index].state)
        return try copy.encoded()
    }
}

extension MigrationError {
    /// Whether it can be told to a person: something is in it, and no control characters.
    var isReadable: Bool {
        let text = "\(self)"
        return !text.isEmpty && text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
    }
}

struct RecordingEnd: Error {}

private final class Recording: ByteSource {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    func read(exactly room: UnsafeMutableRawBufferPointer) throws(RecordingEnd) {
        guard room.count <= bytes.count - offset else { throw RecordingEnd() }
        room.copyBytes(from: bytes[offset..<(offset + room.count)])
        offset += room.count
    }
}

final class RecordingSink: ByteSink {
    private(set) var bytes: [UInt8] = []

    func write(_ pieces: UnsafeBufferPointer<iovec>) throws(RecordingEnd) {
        for piece in pieces { bytes += UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len) }
    }
}
