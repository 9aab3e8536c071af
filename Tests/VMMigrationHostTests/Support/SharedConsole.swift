import TestSupport
import VMDevices
import VMHost

/// What a guest prints, wherever it runs: the machines that it moves through all have this console.
final class SharedConsole: ConsoleOutput {
    private let bytes = Monitor<[UInt8]>([])

    func write(_ bytes: UnsafeRawBufferPointer) {
        self.bytes.change { $0 += bytes }
    }

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    /// Waits until so many lines are there to their ends.
    /// - Returns: whether they came within a minute.
    @discardableResult
    func waitForLines(_ count: Int) -> Bool {
        bytes.wait(until: .now.advanced(by: .seconds(60))) { bytes in
            bytes.count { $0 == UInt8(ascii: "\n") } >= count ? true : nil
        } ?? false
    }

    var lineCount: Int { bytes.withLock { $0.count { $0 == UInt8(ascii: "\n") } } }
}
