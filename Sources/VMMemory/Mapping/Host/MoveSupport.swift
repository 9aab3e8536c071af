import Glibc
import SystemPackage

/// For which memory the kernel can move pages and keep the addresses that they leave.
struct MoveSupport: Sendable {
    /// Linux 5.7.
    var anonymous: Bool
    /// Linux 5.13; never for files in huge pages.
    var files: Bool
    /// Called before each move of the kernel's, which fails as it does: for tests.
    var beforeMove: (@Sendable (Direction) throws(Errno) -> Void)?

    enum Direction: Sendable {
        case there, back
    }

    static let none = MoveSupport(anonymous: false, files: false)

    /// The running kernel's. An unnamed file of shared memory stands for all files.
    static let ofKernel = MoveSupport(anonymous: works(MAP_PRIVATE), files: works(MAP_SHARED))

    func keepsAddresses(of piece: MappedPiece) -> Bool {
        switch piece.backing {
        case .anonymous: anonymous
        case .file: files && piece.pageSize == .size4K
        }
    }

    /// Tries it. The kernel says no only once it has dropped what was at the addresses to move to.
    private static func works(_ sharing: CInt) -> Bool {
        let flags = sharing | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = mmap(nil, 8192, PROT_NONE, flags, -1, 0), base != MAP_FAILED else { return false }
        defer { munmap(base, 8192) }
        do {
            try HostPages(base: base, count: 4096).move(to: base + 4096, keepingAddresses: true)
            return true
        } catch {
            return false
        }
    }
}
