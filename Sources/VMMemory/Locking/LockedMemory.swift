import VMAddressSpace

/// Guest memory that stays where it is on the host until this value goes away, for the kernel or a device to access by
/// host addresses. See `GuestMemory.lock`.
///
/// It lasts when the memory map changes: what was locked then belongs to the old map, and is kept alive. Memory that was
/// locked for writing is marked as written when the lock ends; call `markWritten` earlier for what has been written
/// where somebody could harvest the bitmaps before that.
public struct LockedMemory: ~Copyable, Sendable {
    /// Locked bytes that are in a row both for the guest and on the host.
    public struct Piece: @unchecked Sendable {
        // SAFETY: the pointer is only good while the `LockedMemory` lives, as its documentation says; what several threads
        // do through it races as processors do on RAM.
        /// The guest-physical address of the first byte.
        public let address: GuestAddress
        /// The host memory.
        public let bytes: UnsafeMutableRawBufferPointer
        let region: any GuestMemoryRegion

        /// The guest-physical address of the last byte.
        var last: UInt64 { address.rawValue + UInt64(bytes.count - 1) }
        /// In bytes, in the region.
        var offset: UInt64 { address.rawValue - region.range.start.rawValue }
        /// In bytes, in what lies behind the region.
        var offsetInBacking: UInt64 { region.accessOffset + offset }
    }

    /// In the order they were asked for.
    public let pieces: [Piece]
    private let purpose: GuestMemory.Purpose

    init(_ pieces: [Piece], for purpose: GuestMemory.Purpose) {
        self.pieces = pieces
        self.purpose = purpose
    }

    deinit {
        for piece in pieces.reversed() {
            if purpose == .writing { piece.markWritten() }
            piece.unlock()
        }
    }

    /// Marks all of it as written. Write first, then mark.
    public func markWritten() {
        for piece in pieces { piece.markWritten() }
    }
}

extension LockedMemory.Piece {
    /// Marks the piece as written. Write first, then mark.
    public func markWritten() {
        region.markDirty(offset: offset, count: UInt64(bytes.count))
    }

    func lock(for purpose: GuestMemory.Purpose) throws(GuestMemoryBackingError) {
        try region.access.lockPages(offset: offsetInBacking, count: UInt64(bytes.count), for: purpose)
        do throws(GuestMemoryBackingError) {
            try region.access.exposeHostAddresses(offset: offsetInBacking, count: UInt64(bytes.count))
        } catch {
            unlock()
            throw error
        }
    }

    func unlock() {
        region.access.unlockPages(offset: offsetInBacking, count: UInt64(bytes.count))
    }
}
