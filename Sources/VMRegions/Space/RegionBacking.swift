import VMAddressSpace
import VMDirtyBitmap
import VMHost
import VMMemory

/// Something that the memory of regions comes from, with the bitmap of its pages that were written.
///
/// Contents and bitmap live as long as this object, whether or not anything of it is mapped: what a ROM hides is there
/// when the ROM goes, and what moves to another address takes its contents and its dirty bits along. (Of pages that can
/// only be at one place, those that a guest sees when its manager goes are lost.)
///
/// Threads: any, several at once.
public final class RegionBacking: Sendable {
    /// For people.
    public let name: String
    /// Where its pages come from.
    public let memory: MemoryBacking
    /// Where in the file of `memory` it starts, in bytes; 0 for anonymous memory.
    public let fileOffset: UInt64
    /// In bytes.
    public let byteCount: UInt64
    /// Whether it can be mapped writable.
    public let isWritable: Bool
    /// Whether transparent huge pages are asked for.
    public let usesTransparentHugePages: Bool
    /// Which pages were written, by offset in the backing: by the monitor's own accesses to guest memory at once, by the
    /// guest once the kernel's log has been read.
    public let bitmap: AtomicBitmap
    /// Where its pages are taken from, as far as they go.
    private let preallocated: PreallocatedMemory?
    /// Where pages are that only one mapping can have.
    private let place = Monitor(Place())

    private struct Place {
        /// While the guest does not see them; at their offset in the backing.
        var parking: SparseMapping?
        /// Of the guest that has them. With a guest that goes, the pages go that it saw.
        var owner: GuestReservation.Presence?
        /// Runs of the backing that were taken from `preallocated`, each in one mapping of the kernel's.
        var preallocatedRuns: [Range<UInt64>] = []

        /// Forgets the runs that went with the guest that saw them: all that is not parked.
        mutating func forgetLostRuns() {
            guard !preallocatedRuns.isEmpty else { return }
            let parked = parking?.pieces.map(\.range) ?? []
            preallocatedRuns = preallocatedRuns.flatMap { run in
                parked.map { $0.clamped(to: run) }.filter { !$0.isEmpty }
            }
        }
    }

    /// - Parameters:
    ///   - fileOffset: where in the file of `memory` it starts, in bytes, a multiple of the file's page size.
    ///   - byteCount: a multiple of 4096.
    ///   - isWritable: nil for what the memory allows: all but a file that is open for reading only and mapped shared.
    /// - Throws: `RegionBackingError`.
    public convenience init(
        _ name: String, _ memory: MemoryBacking, fileOffset: UInt64 = 0, byteCount: UInt64, isWritable: Bool? = nil,
        transparentHugePages: Bool = false
    ) throws(RegionBackingError) {
        try self.init(
            name, memory, fileOffset: fileOffset, byteCount: byteCount, isWritable: isWritable,
            transparentHugePages: transparentHugePages, from: nil)
    }

    private init(
        _ name: String, _ memory: MemoryBacking, fileOffset: UInt64, byteCount: UInt64, isWritable: Bool?,
        transparentHugePages: Bool, from preallocated: PreallocatedMemory?
    ) throws(RegionBackingError) {
        guard byteCount > 0, byteCount & PageSize.size4K.mask == 0 else {
            throw .misaligned(name, byteCount: byteCount)
        }
        do throws(HostMemoryError) {
            try memory.check(fileOffset, byteCount)
        } catch {
            throw .host(name, error)
        }
        do throws(BitmapError) {
            bitmap = try AtomicBitmap(byteCount: byteCount)
        } catch {
            throw .bitmap(name, error)
        }
        self.name = name
        self.memory = memory
        self.fileOffset = memory.isAnonymous ? 0 : fileOffset
        self.byteCount = byteCount
        self.isWritable = memory.isWritable && isWritable ?? true
        self.usesTransparentHugePages = transparentHugePages
        self.preallocated = transparentHugePages ? nil : preallocated
    }

    /// Zeroed pages that are provided as they are first touched.
    /// - Parameter preallocated: where pages are taken from when a guest first sees them, as far as they go; none for memory
    ///   that asks for huge pages.
    public convenience init(
        anonymous name: String, byteCount: UInt64, transparentHugePages: Bool = false,
        from preallocated: PreallocatedMemory? = nil
    ) throws(RegionBackingError) {
        try self.init(
            name, .anonymous, fileOffset: 0, byteCount: byteCount, isWritable: nil,
            transparentHugePages: transparentHugePages, from: preallocated)
    }

    /// A memfd: pages that can be seen at several places, and shared with other processes.
    public convenience init(
        memfd name: String, byteCount: UInt64, pageSize: PageSize = .size4K
    ) throws(RegionBackingError) {
        let file: MemoryFile
        do throws(HostMemoryError) {
            file = try MemoryFile(memfd: name, byteCount: byteCount, pageSize: pageSize)
        } catch {
            throw .host(name, error)
        }
        try self.init(name, .shared(file), byteCount: byteCount)
    }

    /// A mapping of all of it beside the guest's, to look at its contents or fill it.
    /// - Throws: `RegionBackingError`: `notShareable` where its pages can only be at one place.
    public func mapping(_ protection: MemoryProtection = .readWrite) throws(RegionBackingError) -> HostMapping {
        guard isShareable else { throw .notShareable(name) }
        do throws(HostMemoryError) {
            return try HostMapping(memory, offset: fileOffset, count: byteCount, protection: protection)
        } catch {
            throw .host(name, error)
        }
    }

    /// As a planner knows it.
    var description: BackingDescription {
        BackingDescription(name: name, byteCount: byteCount, isWritable: isWritable, isShareable: isShareable)
    }

    /// Whether each page can be at several places at once.
    public var isShareable: Bool {
        switch memory {
        case .file(_, .shared): true
        case .anonymous, .file(_, .copyOnWrite): false
        }
    }

    /// Notes which guest has the pages that only one can have.
    /// - Returns: false where another has them.
    func claim(by reservation: GuestReservation) -> Bool {
        guard !isShareable else { return true }
        return place.withLock { place in
            if place.owner?.isOver ?? true {
                place.owner = reservation.presence
                place.forgetLostRuns()
            }
            return place.owner === reservation.presence
        }
    }

    /// Lets another guest have the pages; only once nothing of it is mapped.
    func disclaim() {
        place.withLock { $0.owner = nil }
    }

    /// Where pages are while the guest does not see them.
    func parkingPlace() throws(HostMemoryError) -> SparseMapping {
        try place.withLock { (place) throws(HostMemoryError) in
            if let parking = place.parking { return parking }
            let made = try SparseMapping(byteCount: byteCount)
            place.parking = made
            return made
        }
    }

    /// Provides the pages of a range that is neither parked nor seen by the guest, at the parking place.
    func park(_ bytes: Range<UInt64>) throws(HostMemoryError) {
        try parkingPlace().map(
            offset: bytes.lowerBound, count: UInt64(bytes.count), memory, backingOffset: fileOffset + bytes.lowerBound,
            transparentHugePages: usesTransparentHugePages)
    }

    /// Puts pages in place that were provided in advance, where a guest that does not see them yet is to see a range.
    /// - Parameter bytes: of the backing, neither parked nor seen by the guest.
    /// - Returns: how many bytes from the start of the range have their pages.
    func placePreallocated(
        _ bytes: Range<UInt64>, in mapping: SparseMapping, at offset: UInt64, protection: MemoryProtection
    ) throws(HostMemoryError) -> UInt64 {
        guard let preallocated else { return 0 }
        let count = try preallocated.move(
            upTo: UInt64(bytes.count), to: mapping, at: offset, protection: protection)
        guard count > 0 else { return 0 }
        place.withLock { $0.preallocatedRuns.append(bytes.lowerBound..<(bytes.lowerBound + count)) }
        return count
    }

    /// The runs of it whose pages were provided in advance, each in one mapping of the kernel's; in no order.
    var preallocatedRuns: [Range<UInt64>] { place.withLock(\.preallocatedRuns) }

    /// The runs of a range of the backing that are parked, ascending.
    func parkedRuns(in range: Range<UInt64>) -> [Range<UInt64>] {
        guard let parking = place.withLock(\.parking) else { return [] }
        return parking.pieces.compactMap { piece in
            let part = piece.range.clamped(to: range)
            return part.isEmpty ? nil : part
        }
    }
}

extension MemoryBacking {
    fileprivate var isWritable: Bool {
        switch self {
        case .file(let shared, .shared): shared.file.isWritable
        case .anonymous, .file(_, .copyOnWrite): true
        }
    }

    /// - Throws: `fileTooShort`.
    fileprivate func check(_ offset: UInt64, _ byteCount: UInt64) throws(HostMemoryError) {
        guard case .file(let shared, _) = self else { return }
        let length = try shared.file.byteCount
        guard offset <= length, byteCount <= length - offset else {
            throw HostMemoryError(
                .map, HostMemoryError.Extent(offset: offset, count: byteCount), file: shared.file.name,
                .fileTooShort(length: length))
        }
    }
}

/// Why there is no such backing, or no mapping of it.
public enum RegionBackingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// It would be empty or not made of whole pages.
    case misaligned(String, byteCount: UInt64)
    /// The host has no such memory.
    case host(String, HostMemoryError)
    /// Its pages can only be at one place, which is the guest's.
    case notShareable(String)
    /// There is no room for the bitmap.
    case bitmap(String, BitmapError)

    public var description: String {
        switch self {
        case .misaligned(let name, let byteCount):
            "no backing \"\(name)\": \(byteCount) bytes are not whole pages of \(PageSize.size4K)"
        case .host(let name, let error): "no backing \"\(name)\": \(error)"
        case .notShareable(let name):
            "the backing \"\(name)\" cannot be mapped beside the guest: its pages can only be at one place; "
                + "use a shared file, such as a memfd"
        case .bitmap(let name, let error): "no backing \"\(name)\": \(error)"
        }
    }
}
