import Glibc
import VMMigration

/// A stream, and how it is to be received.
struct FuzzInput {
    let direction: StreamState.Direction
    /// Whether its frames get new headers first, without which hardly any gets past the checksums.
    let isReframed: Bool
    let stream: [UInt8]

    init(direction: StreamState.Direction, isReframed: Bool, stream: [UInt8]) {
        self.direction = direction
        self.isReframed = isReframed
        self.stream = stream
    }

    /// Nil for no bytes.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let choice = bytes.first else { return nil }
        let directions = StreamState.Direction.allCases
        direction = directions[Int(choice >> 1) % directions.count]
        isReframed = choice & 1 != 0
        stream = Array(bytes.dropFirst())
    }

    /// What `init(_:)` reads.
    var bytes: [UInt8] {
        let index = StreamState.Direction.allCases.firstIndex(of: direction) ?? 0
        return [UInt8(index << 1) | (isReframed ? 1 : 0)] + stream
    }

    /// Receives it. Ends the process where memory was written that is not the receiver's, or more was set aside than may be.
    func run() {
        let memory = SampleMemory(SampleStream.blocks)
        guard let received = try? ReceivedPages(memory.blocks) else { return }
        let source = BytePlayer(isReframed ? reframed(stream) : stream)
        let receiver = SampleReceiver(
            memory: memory, received: received, direction: direction, checksDigests: !isReframed)
        do {
            try receiver.receive(source)
        } catch {
            // What is thrown has to say what it is about.
            if "\(error)".isEmpty { abort() }
        }
        if !memory.isGuardIntact || source.largestRequest > FrameType.state.largestPayload { abort() }
    }
}
