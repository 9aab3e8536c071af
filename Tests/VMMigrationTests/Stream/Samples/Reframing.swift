import VMMigration

/// Sends the payloads of a stream once more, each with a header of its own, so that what was changed in them gets past the
/// checksums. From the first header on that no writer can send, the bytes stay as they are.
func reframed(_ stream: [UInt8]) -> [UInt8] {
    let sink = ByteRecorder()
    var writer = FrameWriter(sink)
    let headerByteCount = 32
    var rest = stream[...]
    while rest.count >= headerByteCount {
        let header = Array(rest.prefix(headerByteCount))
        let number = UInt16(header[4]) | UInt16(header[5]) << 8
        let length = (8..<12).reversed().reduce(0) { $0 << 8 | Int(header[$1]) }
        guard let type = FrameType(rawValue: number), length <= type.largestPayload else { break }
        let payload = Array(rest.dropFirst(headerByteCount).prefix(length))
        // A recorder takes everything.
        try? payload.withUnsafeBytes { try writer.send(type, $0) }
        rest = rest.dropFirst(headerByteCount + length)
        if type == .hello, let seed = seedAfterHello(sink.bytes) { writer.seed = seed }
    }
    return sink.bytes + rest
}

/// Of a stream that has nothing but a hello.
private func seedAfterHello(_ stream: [UInt8]) -> UInt64? {
    var state = StreamState(.main)
    var reader = FrameReader(BytePlayer(stream))
    guard let frame = try? reader.next(&state), let hello = try? frame.message(Hello.self) else { return nil }
    return hello.migration.seed(channel: hello.channel, from: hello.side)
}
