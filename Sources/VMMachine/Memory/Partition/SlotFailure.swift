import KVM
import VMAddressSpace

/// Why a change of memory slots did not happen.
struct SlotFailure: Error {
    /// What was being done with a slot.
    enum Operation {
        case add
        case remove
        case setFlags
        case setProtection
        case readDirtyLog
        case clearDirtyLog
        case drainRings
    }

    let operation: Operation
    /// Nil for what is about all memory.
    let range: MemoryRange?
    let cause: KVMError
    /// Where undoing what had been done before could not be done either, the first such place, and why.
    private(set) var lost: (range: MemoryRange?, cause: KVMError)?

    /// Whether all is as it was.
    var isUndone: Bool { lost == nil }

    /// Runs `body`, turning its error into this kind.
    static func wrap<Result>(
        _ operation: Operation, _ range: MemoryRange?, _ body: () throws(KVMError) -> Result
    ) throws(SlotFailure) -> Result {
        do throws(KVMError) {
            return try body()
        } catch {
            throw SlotFailure(operation: operation, range: range, cause: error)
        }
    }

    /// Undoes one step.
    mutating func undo(_ body: () throws(SlotFailure) -> Void) {
        do throws(SlotFailure) {
            try body()
        } catch {
            lost = lost ?? (error.range, error.cause)
        }
    }
}

extension SlotFailure: CustomStringConvertible {
    var description: String {
        let attempt =
            switch operation {
            case .add: "cannot show the guest the memory"
            case .remove: "cannot take from the guest the memory"
            case .setFlags: "cannot switch the dirty log of the memory"
            case .setProtection: "cannot choose the kind of dirty log"
            case .readDirtyLog: "cannot read the dirty log of the memory"
            case .clearDirtyLog: "cannot clear the dirty log of the memory"
            case .drainRings: "cannot reset the dirty rings"
            }
        let lost = lost.map { range, cause in
            "; \(range.map(\.description) ?? "what"), changed before that, cannot be put back, "
                + "which is tried again with the next change: \(cause)"
        }
        return "\(attempt)\(range.map { " at \($0)" } ?? ""): \(cause)\(lost ?? "")"
    }
}
