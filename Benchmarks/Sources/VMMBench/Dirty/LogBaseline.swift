import BenchmarkSupport
import CBaseline
import Glibc
import VMDirtyTracking

/// What finds out by the kernel's calls alone which pages a guest has written.
protocol HarvestBaseline {
    /// Has the guest write to each of its pages.
    func pass() throws
    /// Takes what was written.
    func harvest()
    /// Goes through what the harvests so far have taken.
    func walk() -> (runs: UInt64, pages: UInt64)
    /// How many pages the harvests so far have taken.
    func takeCount() -> UInt64
}

/// The baseline, harvesting the log of a machine of ours.
///
/// Of two machines that do the same, the kernel takes up to a fifth longer for the one than for the other, depending on where
/// it happens to have put what it notes of their pages. So both harvest the same machine, in turn.
final class LogBaseline: HarvestBaseline {
    private let ours: WriterMachine
    private let log: OpaquePointer

    /// - Parameters:
    ///   - ours: a machine which is tracked by `method` while there are harvests, and has written to nothing since the last one.
    ///   - method: not `ring`.
    init(_ ours: WriterMachine, _ method: DirtyTrackingMethod) throws {
        guard let (id, slot) = ours.machine.partition.slots.first, let vm = Self.descriptorOfVM() else {
            throw BenchmarkError("the machine's VM is not to be found")
        }
        self.ours = ours
        log = baseline_attach(vm, id.rawValue, slot.range.count, method.baseline)
    }

    deinit {
        baseline_detach(log)
    }

    func pass() throws { try ours.pass() }

    func harvest() { baseline_dirty_harvest(log) }

    func walk() -> (runs: UInt64, pages: UInt64) {
        let found = baseline_dirty_walk(log)
        return (found.runs, found.pages)
    }

    func takeCount() -> UInt64 { baseline_dirty_take_count(log) }

    /// Of the only VM that this process has.
    private static func descriptorOfVM() -> Int32? {
        let found = (0..<1024 as Range<Int32>).filter { descriptor in
            var target = [CChar](repeating: 0, count: 64)
            let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count)
            return String(decoding: target.prefix(max(count, 0)).map(UInt8.init), as: UTF8.self) == "anon_inode:kvm-vm"
        }
        return found.count == 1 ? found[0] : nil
    }
}

extension WriterBaseline: HarvestBaseline {}
