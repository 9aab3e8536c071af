import Synchronization
import VMDevices

/// Keeps what the guest prints.
final class CollectingConsole: ConsoleOutput {
    private let bytes = Mutex<[UInt8]>([])

    func write(_ bytes: UnsafeRawBufferPointer) {
        self.bytes.withLock { $0 += bytes }
    }

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }
    var count: Int { bytes.withLock { $0.count } }
}
