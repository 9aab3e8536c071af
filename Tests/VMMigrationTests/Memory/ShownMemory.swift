import Testing
import VMAddressSpace
import VMRegions

@testable import VMMigration

/// A manager that shows the pages of a backing, and where they are.
struct ShownMemory {
    static let page = 4096

    let manager: RegionManager
    let handles: [RegionHandle]
    let contents: [BackingContents]
    let base: UnsafeMutableRawPointer

    init(_ backing: RegionBacking) throws {
        let range = try MemoryRange(start: GuestAddress(0), count: backing.byteCount)
        let manager = try RegionManager(addressWidth: 32)
        (handles, contents) = try manager.withTurn { manager throws(RegionManagerError) in
            let region = RegionDefinition(
                "ram", range, memory: [.init(count: range.count, of: backing)], parameters: .init())
            return (try manager.addRegions([region]), try manager.contentsToFill())
        }
        self.manager = manager
        let address = try #require(contents.first?.extents.first?.hostAddress)
        base = try #require(UnsafeMutableRawPointer(bitPattern: address))
    }

    /// The first byte of each page.
    var firstBytes: [UInt8] {
        let count = contents.first.map { Int($0.backing.byteCount) / Self.page } ?? 0
        return (0..<count).map { base.load(fromByteOffset: $0 * Self.page, as: UInt8.self) }
    }
}
