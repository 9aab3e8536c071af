import VMAddressSpace

/// Guest memory that stays where it is on the host until this value goes away, for the kernel or a device to access by
/// host addresses. See `GuestMemory.lock`.
///
/// It lasts when the memory map changes: what was locked then belongs to the old map, and is kept alive. Memory that was
/// locked for writing is marked as written when the lock ends; call `markWritten` earlier for what has been written
/// where somebody could harvest the bitmaps before that.
public struct LockedMemory: ~Copyable, Sendable {
    private let runs: [LockedRun]
    private let purpose: GuestMemory.Purpose

    init(_ runs: [LockedRun], for purpose: GuestMemory.Purpose) {
        self.runs = runs
        self.purpose = purpose
    }

    deinit {
        for run in runs.reversed() {
            if purpose == .writing { run.markWritten() }
            run.unlock()
        }
    }

    /// How many pieces it has: at least one for each region, unless no byte is locked.
    public var pieceCount: Int { runs.count }

    /// Calls `body` with each piece, in the order they were asked for.
    public borrowing func forEachPiece<Failure: Error>(
        _ body: (borrowing Piece) throws(Failure) -> Void
    ) throws(Failure) {
        for run in runs { try body(Piece(run)) }
    }

    /// Marks all of it as written. Write first, then mark.
    public borrowing func markWritten() {
        for run in runs { run.markWritten() }
    }

    /// Locked bytes that are in a row both for the guest and on the host. Only lent out, so that none outlives the lock.
    public struct Piece: ~Copyable {
        private let run: LockedRun

        init(_ run: LockedRun) {
            self.run = run
        }

        /// The guest-physical address of the first byte.
        public var address: GuestAddress { run.address }

        /// In bytes; above 0.
        public var byteCount: Int { run.bytes.count }

        /// Calls `body` with the host memory. Whoever passes the address on to the kernel or a device keeps the
        /// `LockedMemory` until they are done with it.
        public borrowing func withUnsafeMutableBytes<Result: ~Copyable, Failure: Error>(
            _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            try body(run.bytes)
        }

        /// Marks the piece as written. Write first, then mark.
        public borrowing func markWritten() {
            run.markWritten()
        }
    }
}
