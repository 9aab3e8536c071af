import CTryCopy
import Glibc
import SystemPackage
import VMAddressSpace
import VMRegions

/// Memory that nobody has touched, and in which pages are put as wholes by userfaultfd(2): the kernel does not fill them with
/// zeros first, and takes no fault for them.
///
/// Until `end()`, or this object goes, whoever touches a page that is not there sleeps: only `place` may.
///
/// Threads: any, several at once.
final class FreshMemory: Sendable {
    private let userFault: UserFault
    private let ranges: [Range<UInt>]
    private let isIncluded: [Bool]

    /// - Returns: nil where the host does not let the process do it, and where it would give the guest small pages that could
    ///   have large ones.
    init?(_ contents: [BackingContents]) {
        guard !Self.hasLargePages, let userFault = try? UserFault(.program) else { return nil }
        let isIncluded = contents.map { Self.register($0, userFault) }
        guard isIncluded.contains(true) else { return nil }
        ranges = zip(contents, isIncluded).flatMap { contents, isIncluded in
            isIncluded ? contents.freshExtents.map(\.hostRange) : []
        }
        self.isIncluded = isIncluded
        self.userFault = userFault
    }

    /// From now on it is as other memory. Nobody may be putting pages in place.
    func end() {
        for range in ranges { userFault.unregister(range) }
    }

    /// - Parameter extent: of that block.
    func includes(_ extent: BackingContents.Extent, ofBlock block: Int) -> Bool {
        isIncluded[block] && !extent.isPreallocated
    }

    /// Puts pages in place, whether or not something is there.
    /// - Parameters:
    ///   - bytes: whole pages; nil for zeros.
    ///   - count: how many bytes.
    ///   - place: in an extent that is included.
    ///   - name: of the block.
    func place(
        _ bytes: UnsafeRawBufferPointer?, _ count: Int, at place: UnsafeMutableRawPointer, of name: String
    ) throws(MigrationError) {
        var signal: Int32 = 0
        let page = Int(PageSize.size4K.bytes)
        do throws(Errno) {
            if let bytes {
                try userFault.place(bytes, at: UInt(bitPattern: place)) { offset in
                    guard let source = bytes.baseAddress else { return }
                    signal |= ctrycopy_copy_out(place + offset, source + offset, page).signal
                }
            } else {
                try userFault.placeZeros(count, at: UInt(bitPattern: place)) { offset in
                    signal |= ctrycopy_fill(place + offset, 0, page).signal
                }
            }
        } catch {
            throw .userFault(.place(name, error))
        }
        guard signal == 0 else { throw .unwritable(block: name, signal: signal) }
    }

    /// Whether the host gives large pages to memory that did not ask for them.
    static let hasLargePages: Bool = {
        guard let file = try? FileDescriptor.open("/sys/kernel/mm/transparent_hugepage/enabled", .readOnly) else {
            return false
        }
        defer { try? file.close() }
        let text = withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { room in
            String(decoding: room.prefix((try? file.read(into: room)) ?? 0), as: UTF8.self)
        }
        return text.contains("[always]")
    }()

    /// - Returns: whether all of a block can be filled so that is not there yet.
    private static func register(_ contents: BackingContents, _ userFault: borrowing UserFault) -> Bool {
        guard !contents.backing.usesTransparentHugePages else { return false }
        let extents = contents.freshExtents
        for (index, extent) in extents.enumerated() {
            do throws(UserFaultError) {
                try userFault.register(extent.hostRange, of: contents.backing.name)
            } catch {
                for extent in extents[..<index] { userFault.unregister(extent.hostRange) }
                return false
            }
        }
        return !extents.isEmpty
    }
}

extension BackingContents {
    /// Where no page is there yet.
    fileprivate var freshExtents: [Extent] { extents.filter { !$0.isPreallocated } }
}

extension BackingContents.Extent {
    fileprivate var hostRange: Range<UInt> { hostAddress..<(hostAddress + UInt(bytes.count)) }
}
