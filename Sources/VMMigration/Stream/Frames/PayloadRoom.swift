/// Where a payload is received, of up to the length of the longest of memory.
struct PayloadRoom: ~Copyable {
    // SAFETY: allocated in `init` and freed in `deinit`, by the one owner that there is at a time.
    let bytes: UnsafeMutableRawBufferPointer

    init() {
        bytes = .allocate(byteCount: MemoryChunk.largestPayload, alignment: 64)
    }

    deinit {
        bytes.deallocate()
    }
}
