import Glibc
import Synchronization
import Testing
import VMAddressSpace
import VMMemory

/// Host pages as a backing: what it answers to page faults, whether it has an access bitmap, and the protection of its
/// pages are the test's to choose.
final class AccessPages: GuestMemoryAccess, @unchecked Sendable {
    // SAFETY: everything is constant but the contents and the protection of the pages. Tests reach the contents through
    // `GuestMemory` while several threads do.
    static let pageSize = 4096

    typealias FaultHandler = @Sendable (AccessPages, _ offset: UInt64, PageFault) -> PageFaultAction

    let base: UnsafeMutableRawPointer
    let count: Int
    private let file: CInt
    private let permissions: PagePermissions?
    private let answer: FaultHandler
    /// How often `pageFault` was called.
    let faultCount = Atomic<Int>(0)
    let baseIOVA: UInt64?

    /// - Parameter isFile: whether the pages are those of a file, which `truncate` can shorten.
    init(
        pages: Int, isFile: Bool = false, permissions: PagePermissions? = nil, baseIOVA: UInt64? = nil,
        onFault answer: @escaping FaultHandler = { _, _, _ in .fail(nil) }
    ) throws {
        count = pages * Self.pageSize
        file = isFile ? try Self.makeFile(count) : -1
        let flags = isFile ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS
        let address = mmap(nil, count, PROT_READ | PROT_WRITE, flags, file, 0)
        base = try #require(address != MAP_FAILED ? address : nil)
        self.permissions = permissions
        self.answer = answer
        self.baseIOVA = baseIOVA
    }

    deinit {
        munmap(base, count)
        if file >= 0 { close(file) }
    }

    /// A file in memory that has no name any more.
    private static func makeFile(_ count: Int) throws -> CInt {
        let name = "/vmmemory-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
        try #require(file >= 0)
        shm_unlink(name)
        try #require(ftruncate(file, count) == 0)
        return file
    }

    var mapping: UnsafeMutableRawPointer? { base }
    var byteCount: UInt64 { UInt64(count) }
    var accessBitmap: AccessBitmap? { permissions?.accessBitmap }

    func pageFault(offset: UInt64, count: UInt64, _ fault: PageFault) -> PageFaultAction {
        faultCount.wrappingAdd(1, ordering: .relaxed)
        return answer(self, offset, fault)
    }

    /// Sets the host's protection of some pages (`PROT_*`).
    func protect(_ pages: Range<Int>, _ protection: CInt) {
        let result = mprotect(base + pages.lowerBound * Self.pageSize, pages.count * Self.pageSize, protection)
        precondition(result == 0)
    }

    /// Shortens the file behind the pages.
    func truncate(toPages pages: Int) {
        let result = ftruncate(file, pages * Self.pageSize)
        precondition(result == 0)
    }

    /// What the pages hold, while no thread writes to them.
    var bytes: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: base, count: count)) }
}
