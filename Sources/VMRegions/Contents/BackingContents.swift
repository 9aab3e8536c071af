import VMMemory

/// Where on the host the bytes of a backing are, whether the guest sees them or not. It stays so while a `RegionHold` is kept.
///
/// Threads: any. The guest and devices may be writing what is read.
public struct BackingContents: Sendable {
    /// Bytes that follow one another in the backing and on the host.
    public struct Extent: Hashable, Sendable {
        /// In the backing.
        public let bytes: Range<UInt64>
        /// Of the first.
        public let hostAddress: UInt
        /// Whether its pages were there when it was mapped (`PreallocatedMemory`); what has happened to them since does not
        /// matter.
        public internal(set) var isPreallocated = false
    }

    public let backing: RegionBacking
    /// Ascending and disjoint. What is in none was never touched, and is zero.
    public let extents: [Extent]
    /// What keeps extents that are mapped for this alone.
    let mapping: MappingOwner?
}

extension [BackingContents.Extent] {
    /// The runs of so many bytes that are in none.
    func gaps(in byteCount: UInt64) -> [Range<UInt64>] {
        var gaps: [Range<UInt64>] = []
        var next: UInt64 = 0
        for extent in self {
            if next < extent.bytes.lowerBound { gaps.append(next..<extent.bytes.lowerBound) }
            next = extent.bytes.upperBound
        }
        if next < byteCount { gaps.append(next..<byteCount) }
        return gaps
    }

    /// Cuts them where a run of bytes that was preallocated begins and ends: the kernel's mappings do so too, and it does not
    /// put pages in place across them.
    mutating func markPreallocated(_ bytes: Range<UInt64>) {
        self = flatMap { extent in
            let ends = [bytes.lowerBound, bytes.upperBound].filter {
                extent.bytes.lowerBound < $0 && $0 < extent.bytes.upperBound
            }
            return zip([extent.bytes.lowerBound] + ends, ends + [extent.bytes.upperBound]).map { start, end in
                BackingContents.Extent(
                    bytes: start..<end, hostAddress: extent.hostAddress + UInt(start - extent.bytes.lowerBound),
                    isPreallocated: extent.isPreallocated || bytes.contains(start))
            }
        }
    }

    /// Adds what of a run of bytes is not there yet.
    /// - Parameter hostAddress: of the first byte.
    mutating func add(_ bytes: Range<UInt64>, at hostAddress: UInt) {
        for gap in gaps(in: bytes.upperBound) {
            let part = gap.clamped(to: bytes)
            guard !part.isEmpty else { continue }
            let place = firstIndex { $0.bytes.lowerBound >= part.upperBound } ?? endIndex
            insert(
                BackingContents.Extent(
                    bytes: part, hostAddress: hostAddress + UInt(part.lowerBound - bytes.lowerBound)), at: place)
        }
    }
}

/// A mapping beside the guest's, with several users.
final class MappingOwner: Sendable {
    let mapping: HostMapping

    init(_ mapping: consuming HostMapping) {
        self.mapping = mapping
    }
}
