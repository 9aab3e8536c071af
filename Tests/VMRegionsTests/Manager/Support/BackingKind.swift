import Glibc
import SystemPackage
import TestSupport
import VMMemory
import VMRegions

/// What memory can come from.
enum BackingKind: CaseIterable {
    case anonymous, memfd, copyOnWrite, readOnlyFile

    static let writable: [BackingKind] = [.anonymous, .memfd, .copyOnWrite]

    func make(_ name: String, pages: UInt64) throws -> RegionBacking {
        switch self {
        case .anonymous: try RegionBacking(anonymous: name, byteCount: bytes(pages))
        case .memfd: try RegionBacking(memfd: name, byteCount: bytes(pages))
        case .copyOnWrite:
            try RegionBacking(name, .copyOnWrite(try file(name, pages)), byteCount: bytes(pages))
        case .readOnlyFile: try RegionBacking(name, .shared(try file(name, pages)), byteCount: bytes(pages))
        }
    }

    /// A file that is open for reading only, each page of which has contents of its own.
    private func file(_ name: String, _ pages: UInt64) throws -> MemoryFile {
        var words = [UInt64](repeating: 0, count: Int(pages) * 512)
        for page in 0..<pages {
            words[Int(page) * 512] = originalContents(of: name, page)
            words[Int(page) * 512 + 511] = ~originalContents(of: name, page)
        }
        let folder = try TemporaryFolder()
        let path = try folder.file(
            name, words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } })
        return try MemoryFile(path: FilePath(path), access: .readOnly)
    }
}
