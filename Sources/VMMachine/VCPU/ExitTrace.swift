import KVM

/// What one vCPU's exits were: how many of each kind, and the last few in detail. Its vCPU's thread writes it, without
/// allocating; others read it once that thread has ended.
final class ExitTrace: @unchecked Sendable {
    // SAFETY: one thread writes. It has ended before another reads (`Machine.wait`), and the memory is freed by
    // `deinit` alone.
    private let counts: UnsafeMutablePointer<UInt64>
    /// The first `min(recorded, depth)` are initialised.
    private let records: UnsafeMutablePointer<ExitRecord>
    private var recorded = 0

    /// How many records are kept.
    static let depth = 16

    init() {
        counts = .allocate(capacity: ExitRecord.Kind.allCases.count)
        counts.initialize(repeating: 0, count: ExitRecord.Kind.allCases.count)
        records = .allocate(capacity: Self.depth)
    }

    deinit {
        counts.deallocate()
        records.deallocate()
    }

    @inline(__always)
    func count(_ kind: ExitRecord.Kind) {
        counts[Int(kind.rawValue)] &+= 1
    }

    /// Counts an exit and keeps it; one just like the last (a loop on a port) only adds to that one's repetitions.
    @inline(__always)
    func record(_ record: ExitRecord) {
        count(record.kind)
        let last = records + (recorded &- 1) & (Self.depth - 1)
        if recorded > 0, last.pointee.isRepeated(by: record) {
            last.pointee.repetitions &+= 1
            last.pointee.value = record.value
        } else {
            (records + recorded & (Self.depth - 1)).initialize(to: record)
            recorded &+= 1
        }
    }

    /// The last exits, oldest first.
    var history: [ExitRecord] {
        (max(0, recorded - Self.depth)..<recorded).map { records[$0 & (Self.depth - 1)] }
    }

    /// The kinds of exit there were, and how often.
    var exitCounts: [(kind: ExitRecord.Kind, count: UInt64)] {
        ExitRecord.Kind.allCases.map { ($0, counts[Int($0.rawValue)]) }.filter { $0.count > 0 }
    }
}

/// One exit, as the crash report shows it.
struct ExitRecord: Sendable {
    enum Kind: UInt8, CaseIterable, Sendable {
        case portRead, portWrite, mmioRead, mmioWrite, halt, interrupted, endOfInterrupt, shutdown, internalError
        case failedEntry, systemEvent, memoryFault, dirtyRingFull, other

        /// What reports call it.
        var name: String {
            switch self {
            case .portRead: "portRead"
            case .portWrite: "portWrite"
            case .mmioRead: "mmioRead"
            case .mmioWrite: "mmioWrite"
            case .halt: "halt"
            case .interrupted: "interrupted"
            case .endOfInterrupt: "endOfInterrupt"
            case .shutdown: "shutdown"
            case .internalError: "internalError"
            case .failedEntry: "failedEntry"
            case .systemEvent: "systemEvent"
            case .memoryFault: "memoryFault"
            case .dirtyRingFull: "dirtyRingFull"
            case .other: "other"
            }
        }
    }

    var kind: Kind
    /// In bytes, of one access.
    var size: UInt8 = 0
    /// How many accesses of a string instruction it was.
    var count: UInt32 = 0
    /// The port, the guest-physical address, or the exit's number.
    var address: UInt64 = 0
    /// What was read or written, the last of them where there were several.
    var value: UInt64 = 0
    /// Where the guest was; 0 where the host does not say.
    var instructionPointer: UInt64 = 0
    /// How many more like it came directly after.
    var repetitions: UInt64 = 0

    @inline(__always)
    func isRepeated(by other: ExitRecord) -> Bool {
        kind == other.kind && address == other.address && size == other.size
            && instructionPointer == other.instructionPointer
    }
}
