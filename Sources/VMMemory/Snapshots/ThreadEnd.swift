import Glibc

/// Gives a thread's reader slots back when the thread ends.
enum ThreadEnd {
    private static let key: pthread_key_t? = {
        var key = pthread_key_t()
        let result = pthread_key_create(&key) { block in
            if let block { ReaderSlots.threadEnds(block) }
        }
        return result == 0 ? key : nil
    }()

    /// Where the process has no key left, the block is lost when the thread ends: 64 bytes.
    static func watch(_ block: UnsafeMutableRawPointer) {
        if let key { pthread_setspecific(key, block) }
    }
}
