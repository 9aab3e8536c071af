import CURing
import Glibc
import SystemPackage
import VMHost

/// An io_uring that carries one transfer at a time.
///
/// Beside the transfer, up to two more entries are in flight: a poll that sees the cancelling, which stays from one
/// transfer to the next, and the withdrawal of a transfer that took too long or is no longer wanted.
struct Ring: ~Copyable {
    static let entries: UInt32 = 4

    /// What an entry is, as its completion says.
    private enum Tag: UInt64 {
        /// Of an entry that could not be submitted.
        case retracted
        case transfer
        case watch
        case withdrawal
    }

    // SAFETY: created in `init`, destroyed in `deinit`, and used by one thread at a time in between, as the owner of a ring
    // has to see to: submission and completion queue have no locks of their own. So is `isWatching`, which lies on the heap
    // since methods that borrow the ring change it.
    private let queues: OpaquePointer
    /// Whether the poll is in flight.
    private let isWatching: UnsafeMutablePointer<Bool>
    private let cancellation: Cancellation

    /// - Throws: why the process gets none.
    init(cancellation: Cancellation) throws(Errno) {
        var created: OpaquePointer?
        let result = curing_create(&created, Self.entries)
        guard result >= 0, let created else { throw Errno(rawValue: -result) }
        queues = created
        isWatching = .allocate(capacity: 1)
        isWatching.initialize(to: false)
        self.cancellation = cancellation
    }

    deinit {
        // What may be in flight is the poll alone, which touches no memory of this process.
        curing_destroy(queues)
        isWatching.deallocate()
    }

    /// Carries out the entry that `prepare` makes with the tag it is given.
    /// - Parameter prepare: one of the `curing_prepare_` functions on the queues it is given.
    /// - Returns: the result of its completion: a count, or a negated errno.
    /// - Throws: `.cancelled`, `.stalled` once `timeout` has passed without a completion, or why it was not submitted.
    func transfer(
        stallingAfter timeout: Duration, _ prepare: (OpaquePointer, UInt64) -> CInt
    ) throws(TransferFailure) -> Int {
        if cancellation.isCancelled { throw .cancelled }
        try submit(.transfer, prepare)
        var outcome = Outcome()
        reap(&outcome)
        if let result = outcome.result { return Int(result) }
        let deadline = MonotonicTime.now.advanced(by: timeout)
        while true {
            if let failure = giveUp(at: deadline) { return try withdraw(because: failure) }
            if !isWatching.pointee { try watch() }
            wait(until: deadline)
            reap(&outcome)
            if let result = outcome.result { return Int(result) }
        }
    }

    private func giveUp(at deadline: MonotonicTime) -> TransferFailure? {
        cancellation.isCancelled ? .cancelled : MonotonicTime.now >= deadline ? .stalled : nil
    }

    /// Lets the poll in, or withdraws the transfer where that fails.
    private func watch() throws(TransferFailure) {
        let descriptor = cancellation.descriptor
        do throws(TransferFailure) {
            try submit(.watch) { curing_prepare_poll($0, $1, descriptor, UInt32(POLLIN)) }
            isWatching.pointee = true
        } catch {
            _ = try withdraw(because: error)
        }
    }

    /// Takes the transfer back, and waits until the kernel has let go of its memory.
    /// - Returns: the result, where bytes had moved all the same.
    private func withdraw(because failure: TransferFailure) throws(TransferFailure) -> Int {
        var outcome = Outcome()
        // Where this cannot be submitted, the transfer's own end is all there is to wait for.
        let isSubmitted: Void? = try? submit(.withdrawal) { curing_prepare_cancel($0, $1, Tag.transfer.rawValue) }
        outcome.isWithdrawn = isSubmitted == nil
        while true {
            reap(&outcome)
            if let result = outcome.result, outcome.isWithdrawn {
                if result >= 0 { return Int(result) }
                throw failure
            }
            wait(until: nil)
        }
    }

    // MARK: The queues

    private struct Outcome {
        /// Of the transfer.
        var result: Int32?
        /// Whether the withdrawal has completed.
        var isWithdrawn = false
    }

    /// Takes all completions there are.
    private func reap(_ outcome: inout Outcome) {
        var tag: UInt64 = 0
        var result: Int32 = 0
        while curing_take(queues, &tag, &result) {
            switch Tag(rawValue: tag) {
            case .transfer: outcome.result = result
            // Also where its thread has ended, and the kernel completes what that had submitted.
            case .watch: isWatching.pointee = false
            case .withdrawal: outcome.isWithdrawn = true
            case .retracted, nil: break
            }
        }
    }

    private func submit(
        _ tag: Tag, _ prepare: (OpaquePointer, UInt64) -> CInt
    ) throws(TransferFailure) {
        let result = prepare(queues, tag.rawValue)
        guard result == 0 else { throw .system(Errno(rawValue: -result)) }
        // Short of memory for a request, the kernel wants to be asked again.
        for _ in 0..<1000 {
            let result = curing_submit(queues)
            if result > 0 { return }
            switch -result {
            case EINTR: continue
            case 0, EAGAIN, EBUSY: usleep(1000)
            case let error:
                curing_retract(queues, Tag.retracted.rawValue)
                throw .system(Errno(rawValue: error))
            }
        }
        curing_retract(queues, Tag.retracted.rawValue)
        throw .system(.noMemory)
    }

    /// Waits for a completion, which stays to be reaped, or for the deadline, or a signal.
    private func wait(until deadline: MonotonicTime?) {
        guard let deadline else {
            _ = curing_wait(queues, -1)
            return
        }
        let now = MonotonicTime.now
        _ = curing_wait(queues, deadline > now ? Int64(clamping: deadline.nanoseconds - now.nanoseconds) : 0)
    }
}
