import CBaseline
import VMDirtyTracking

/// The baseline's machine with the guest `writer`, all of whose memory is there. It runs only when the guest is to write.
final class WriterBaseline {
    let writer: Writer
    private let machine: OpaquePointer

    /// - Parameters:
    ///   - image: of the guest.
    ///   - ringSize: 0 for no dirty ring.
    init(ringSize: UInt32 = 0, image: [UInt8]) {
        machine = image.withUnsafeBufferPointer { image in
            "writer".withCString { name in
                var guest = baseline_guest(
                    image: image.baseAddress, image_size: image.count, command_line: name,
                    memory_size: Writer.memorySize, has_irqchip: false, ring_size: ringSize)
                // Not called: the guest has nothing to say.
                return baseline_create(&guest, { _, _ in }, nil)
            }
        }
        writer = Writer(memory: UnsafeMutableRawPointer(baseline_memory(machine)))
        writer.setPages(Writer.allPages)
        pass()
    }

    deinit {
        baseline_destroy(machine)
    }

    func pass() {
        writer.orderPass()
        baseline_start_to_store(machine)
        baseline_wait_for_store(machine)
    }

    func whileWriting<Result>(_ body: () throws -> Result) throws -> Result {
        writer.orderWrites(rate: 0)
        baseline_start_to_store(machine)
        defer {
            writer.stop()
            baseline_wait_for_store(machine)
        }
        try writer.waitForProgress()
        return try body()
    }

    /// As `DirtyTracker.start` does it.
    func start(_ method: DirtyTrackingMethod, from pages: DirtyBaseline = .clean) {
        baseline_dirty_start(machine, method.baseline, pages == .dirty)
    }

    func stop() {
        baseline_dirty_stop(machine)
    }

    func harvest() {
        baseline_dirty_harvest(machine)
    }

    /// Goes through what the harvests so far have taken.
    func walk() -> (runs: UInt64, pages: UInt64) {
        let found = baseline_dirty_walk(machine)
        return (found.runs, found.pages)
    }

    /// How many pages the harvests so far have taken.
    func takeCount() -> UInt64 {
        baseline_dirty_take_count(machine)
    }
}

extension DirtyTrackingMethod {
    var baseline: baseline_dirty_method {
        switch self {
        case .log: BASELINE_LOG
        case .manual: BASELINE_MANUAL
        case .ring: BASELINE_RING
        }
    }
}
