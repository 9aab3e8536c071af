import VMDevices

/// A console that nobody reads.
final class DroppedOutput: ConsoleOutput {
    func write(_ bytes: UnsafeRawBufferPointer) {}
}
