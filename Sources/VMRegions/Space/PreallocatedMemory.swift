import VMAddressSpace
import VMHost
import VMMemory

/// Memory that the host has provided before there is a guest to have it: zeroed pages, of which the anonymous backings of
/// guests to come are made (`RegionBacking.init(anonymous:byteCount:transparentHugePages:from:)`). To find and to zero pages
/// takes the kernel longer than all else that is done to a page that arrives from another process.
///
/// What has been taken does not come back. Where there is too little, the rest is provided as it is touched, as elsewhere.
///
/// Threads: any, several at once.
public final class PreallocatedMemory: Sendable {
    /// What is mapped in it has not been taken. Nobody accesses that.
    let mapping: SparseMapping
    /// Locked while pages are chosen and taken.
    private let turn = Monitor(())

    /// Provides pages, which takes about a second for 3 GiB.
    /// - Parameter byteCount: a multiple of 4096.
    /// - Throws: `PreallocationError`; the host has it all back then.
    public convenience init(byteCount: UInt64) throws(PreallocationError) {
        try self.init(byteCount: byteCount, available: AvailableMemory().byteCount)
    }

    /// - Parameter available: how many bytes the host has; nil where nobody knows.
    init(byteCount: UInt64, available: UInt64?) throws(PreallocationError) {
        guard byteCount > 0, byteCount & PageSize.size4K.mask == 0 else { throw .misaligned(byteCount: byteCount) }
        // The kernel would find some by ending processes.
        if let available, byteCount > available { throw .exceedsAvailable(byteCount: byteCount, available: available) }
        do throws(HostMemoryError) {
            mapping = try SparseMapping(byteCount: byteCount)
            try mapping.map(offset: 0, count: byteCount, .anonymous)
            try mapping.populate(offset: 0, count: byteCount)
        } catch {
            throw .host(byteCount: byteCount, error)
        }
    }

    /// How many bytes have not been taken.
    public var remainingByteCount: UInt64 { mapping.pieces.reduce(0) { $0 + UInt64($1.range.count) } }

    /// Gives back to the host what has not been taken, which takes about a second for 14 GiB. Who takes meanwhile waits.
    public func giveBack() {
        turn.withLock { _ in
            for piece in mapping.pieces {
                let (offset, count) = (piece.range.lowerBound, UInt64(piece.range.count))
                // Freed first: while memory is unmapped, no thread of the process can take a fault.
                try? mapping.decommit(offset: offset, count: count)
                // What the kernel cannot unmap now goes with this object.
                try? mapping.unmap(offset: offset, count: count)
            }
        }
    }

    /// Moves pages to where nothing is mapped, and nobody looks yet.
    /// - Parameters:
    ///   - count: how many bytes at most.
    ///   - offset: in `target`.
    /// - Returns: how many bytes it were.
    /// - Throws: what `SparseMapping.move` throws.
    func move(
        upTo count: UInt64, to target: SparseMapping, at offset: UInt64, protection: MemoryProtection
    ) throws(HostMemoryError) -> UInt64 {
        try turn.withLock { (_) throws(HostMemoryError) in
            guard let run = run(upTo: count, for: offset) else { return 0 }
            try mapping.move(
                offset: run.lowerBound, count: UInt64(run.count), to: target, at: offset, protection: protection,
                areUnused: true)
            return UInt64(run.count)
        }
    }

    /// The longest run of pages that lie as those that they are for do in their 2 MiB, so that the kernel can move whole page
    /// tables, and huge pages; of others where there are none.
    private func run(upTo count: UInt64, for offset: UInt64) -> Range<UInt64>? {
        let pieces = mapping.pieces.map(\.range)
        let aligned = pieces.compactMap { piece in
            let start = piece.lowerBound + (offset &- piece.lowerBound) & PageSize.size2M.mask
            return start < piece.upperBound ? start..<piece.upperBound : nil
        }
        let longest = (aligned.isEmpty ? pieces : aligned).max { $0.count < $1.count }
        return longest.map { $0.lowerBound..<min($0.upperBound, $0.lowerBound + count) }
    }
}

/// Why memory could not be provided in advance.
public enum PreallocationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It would be nothing, or not made of whole pages.
    case misaligned(byteCount: UInt64)
    /// The host, or the control group that the process is in, has less.
    case exceedsAvailable(byteCount: UInt64, available: UInt64)
    /// The host did not provide it.
    case host(byteCount: UInt64, HostMemoryError)

    public var description: String {
        switch self {
        case .misaligned(let byteCount):
            "cannot preallocate \(byteCount) bytes of memory: that is not made of whole pages of \(PageSize.size4K)"
        case .exceedsAvailable(let byteCount, let available):
            "cannot preallocate \(byteCount) bytes of memory: the host has \(available) bytes available"
        case .host(let byteCount, let error): "cannot preallocate \(byteCount) bytes of memory: \(error)"
        }
    }
}
