/// Where a payload is received, of up to the length of the longest of memory.
struct PayloadRoom: ~Copyable {
    let bytes: UnsafeMutableRawBufferPointer

    init() {
        bytes = .allocate(byteCount: MemoryChunk.largestPayload, alignment: 64)
    }

    deinit {
        bytes.deallocate()
    }
}
