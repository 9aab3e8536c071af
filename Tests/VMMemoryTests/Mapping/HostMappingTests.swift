import Glibc
import SystemPackage
import Testing
import VMAddressSpace

@testable import VMMemory

private let page: UInt64 = 4096

@Suite("Host mappings")
struct HostMappingTests {
    @Test("Anonymous memory reads zero, can be written, and starts without any page")
    func anonymous() throws {
        let mapping = try HostMapping(anonymous: 16 * page)
        let resident = try mapping.residentByteCount()
        #expect(resident == 0)
        #expect(mapping.count == 65536)
        #expect(UInt(bitPattern: mapping.baseAddress) % 4096 == 0)
        let bytes = UnsafeMutableRawBufferPointer(start: mapping.baseAddress, count: mapping.count)
        #expect(bytes.allSatisfy { $0 == 0 })
        bytes[65535] = 0x5a
        #expect(bytes[65535] == 0x5a)
    }

    @Test("Memory is promised by the host only on demand")
    func commit() throws {
        let plain = try HostMapping(anonymous: 16 * page)
        let committed = try HostMapping(anonymous: 16 * page, options: .commit)
        #expect(try #require(ProcessMaps.area(at: plain.baseAddress)).flags.contains("nr"))
        let flags = try #require(ProcessMaps.area(at: committed.baseAddress)).flags
        #expect(!flags.contains("nr") && flags.contains("ac"))
    }

    @Test(
        "Zero, unaligned and huge lengths are refused",
        arguments: [
            (0, .empty),
            (1, .misaligned(.size4K)),
            (page + 1, .misaligned(.size4K)),
            (.max, .misaligned(.size4K)),
            (.max - 4095, .outOfBounds(limit: UInt64(Int.max))),
            (1 << 63, .outOfBounds(limit: UInt64(Int.max))),
            (1 << 62, .system(.noMemory)),
            (UInt64(Int.max) - 4095, .system(.noMemory)),
        ] as [(UInt64, HostMemoryError.Reason)])
    func badLengths(count: UInt64, reason: HostMemoryError.Reason) {
        for options: HostMapping.Options in [[], .guardPages, .transparentHugePages] {
            let error = refusal { _ = try HostMapping(anonymous: count, options: options) }
            #expect(error?.reason == reason)
            #expect(error?.extent?.count == count)
        }
    }

    @Test("A mapping is unmapped, guard pages and all, when its owner goes away")
    func unmapping() async {
        // A process of its own: elsewhere a thread of another test could be given the same addresses.
        await #expect(processExitsWith: .success) {
            for options: HostMapping.Options in [[], .guardPages, [.guardPages, .transparentHugePages]] {
                let mapping = try HostMapping(anonymous: 1 << 22, options: options)
                let base = mapping.baseAddress
                try #require(ProcessMaps.area(at: base) != nil)
                _ = consume mapping
                let margin = options.contains(.guardPages) ? 4096 : 0
                for offset in stride(from: -margin, to: (1 << 22) + margin, by: 4096) {
                    var state: UInt8 = 0
                    try #require(mincore(base + offset, 4096, &state) == -1 && errno == ENOMEM)
                }
            }
        }
    }

    @Test("Guard pages make both ends fault", arguments: [false, true])
    func guardPages(transparentHugePages: Bool) throws {
        let count: UInt64 = 1 << 21
        let mapping = try HostMapping(
            anonymous: count, options: transparentHugePages ? [.guardPages, .transparentHugePages] : .guardPages)
        let (first, end) = (mapping.baseAddress, mapping.baseAddress + mapping.count)
        #expect(Access.canWrite(first) && Access.canWrite(end - 1))
        #expect(!Access.canRead(first - 1) && !Access.canRead(first - 4096))
        #expect(!Access.canRead(end) && !Access.canRead(end + 4095))
    }

    @Test("Guard pages surround a file's pages too")
    func fileGuardPages() throws {
        let file = try MemoryFile(memfd: "guarded", byteCount: 2 * page)
        let mapping = try HostMapping(file, count: 2 * page, options: .guardPages)
        #expect(Access.canWrite(mapping.baseAddress) && Access.canWrite(mapping.baseAddress + 8191))
        #expect(!Access.canRead(mapping.baseAddress - 1) && !Access.canRead(mapping.baseAddress + 8192))
    }

    @Test("Transparent huge pages are asked for, and 2 MiB is where mappings then start")
    func transparentHugePages() throws {
        for count in [1 << 21, 1 << 21 + page, 5 << 21] {
            let mapping = try HostMapping(anonymous: count, options: .transparentHugePages)
            let resident = try mapping.residentByteCount()
            #expect(UInt(bitPattern: mapping.baseAddress) % (1 << 21) == 0)
            #expect(resident == 0)
            let area = try #require(ProcessMaps.area(at: mapping.baseAddress))
            #expect(area.flags.contains("hg"))
        }
        let plain = try HostMapping(anonymous: 1 << 21, options: .guardPages)
        #expect(try #require(ProcessMaps.area(at: plain.baseAddress)).flags.contains("hg") == false)
    }

    @Test("Populating provides all pages at once", arguments: [MemoryProtection.readWrite, .readOnly])
    func populate(protection: MemoryProtection) throws {
        let file = try MemoryFile(memfd: "populated", byteCount: 64 * page)
        let anonymous = try HostMapping(anonymous: 64 * page, protection: protection, options: .populate)
        let shared = try HostMapping(file, count: 64 * page, protection: protection, options: .populate)
        let (anonymousResident, sharedResident) = (try anonymous.residentByteCount(), try shared.residentByteCount())
        #expect(anonymousResident == 64 * 4096)
        #expect(sharedResident == 64 * 4096)
    }

    @Test("Memory that cannot be accessed can be mapped, and there is nothing to populate")
    func noAccess() throws {
        let mapping = try HostMapping(anonymous: 4 * page, protection: .none, options: .populate)
        let resident = try mapping.residentByteCount()
        #expect(resident == 0)
        #expect(!Access.canRead(mapping.baseAddress))
    }

    @Test("Protection changes where it is asked to")
    func protect() throws {
        let mapping = try HostMapping(anonymous: 4 * page)
        let base = mapping.baseAddress
        try mapping.protect(.readOnly, offset: page, count: 2 * page)
        #expect((0..<4).map { Access.canWrite(base + $0 * 4096) } == [true, false, false, true])
        #expect((0..<4).allSatisfy { Access.canRead(base + $0 * 4096) })
        try mapping.protect(.none)
        #expect((0..<4).allSatisfy { !Access.canRead(base + $0 * 4096) })
        try mapping.protect(.readWrite)
        #expect((0..<4).allSatisfy { Access.canWrite(base + $0 * 4096) })
    }

    @Test(
        "A part must be whole pages within the mapping",
        arguments: [
            (0, 0, .empty),
            (0, 1, .misaligned(.size4K)),
            (1, page, .misaligned(.size4K)),
            (0, 5 * page, .outOfBounds(limit: 4 * page)),
            (4 * page, page, .outOfBounds(limit: 4 * page)),
            (page, .max - 4095, .outOfBounds(limit: 4 * page)),
            (.max - 4095, page, .outOfBounds(limit: 4 * page)),
        ] as [(UInt64, UInt64, HostMemoryError.Reason)])
    func badParts(offset: UInt64, count: UInt64, reason: HostMemoryError.Reason) throws {
        let mapping = try HostMapping(anonymous: 4 * page)
        mapping.baseAddress.storeBytes(of: 7, as: UInt8.self)
        let extent = HostMemoryError.Extent(offset: offset, count: count)
        let protect = refusal { try mapping.protect(.none, offset: offset, count: count) }
        let decommit = refusal { try mapping.decommit(offset: offset, count: count) }
        #expect(protect == HostMemoryError(.protect, extent, reason))
        #expect(decommit == HostMemoryError(.decommit, extent, reason))
        #expect(mapping.baseAddress.load(as: UInt8.self) == 7)
    }

    @Test("Decommitted anonymous memory is given back and reads zero")
    func decommitAnonymous() throws {
        let mapping = try HostMapping(anonymous: 8 * page, options: .populate)
        memset(mapping.baseAddress, 0xff, mapping.count)
        try mapping.decommit(offset: 2 * page, count: 3 * page)
        let resident = try mapping.residentByteCount()
        #expect(resident == 5 * 4096)
        #expect(
            (0..<8).map { mapping.baseAddress.load(fromByteOffset: $0 * 4096, as: UInt8.self) }
                == [255, 255, 0, 0, 0, 255, 255, 255])
        try mapping.decommit()
        let rest = try mapping.residentByteCount()
        #expect(rest == 0)
    }

    @Test("Decommitting shared memory clears it for all who map it")
    func decommitShared() throws {
        let file = try MemoryFile(memfd: "shared", byteCount: 4 * page)
        let one = try HostMapping(file, count: 4 * page)
        let other = try HostMapping(file, offset: page, count: 2 * page)
        memset(one.baseAddress, 0xff, one.count)
        #expect(other.baseAddress.load(as: UInt8.self) == 0xff)
        try one.decommit(offset: page, count: page)
        #expect(one.baseAddress.load(fromByteOffset: 4096, as: UInt8.self) == 0)
        #expect(other.baseAddress.load(as: UInt8.self) == 0)
        #expect(other.baseAddress.load(fromByteOffset: 4096, as: UInt8.self) == 0xff)
    }

    @Test("Decommitting a copy-on-write mapping brings the file back")
    func decommitCopyOnWrite() throws {
        let temporary = TemporaryFile(byteCount: 8192, fill: 0x11)
        let file = try MemoryFile(path: FilePath(temporary.path), access: .readOnly)
        let mapping = try HostMapping(file, count: 2 * page, sharing: .copyOnWrite)
        memset(mapping.baseAddress, 0x22, 8192)
        try mapping.decommit(offset: 0, count: page)
        #expect(mapping.baseAddress.load(as: UInt8.self) == 0x11)
        #expect(mapping.baseAddress.load(fromByteOffset: 4096, as: UInt8.self) == 0x22)
        #expect(temporary.contents.allSatisfy { $0 == 0x11 })
    }

    @Test("Shared memory of a read-only file can be neither decommitted nor made writable")
    func readOnlyShared() throws {
        let temporary = TemporaryFile(byteCount: 4096, fill: 0x11)
        let file = try MemoryFile(path: FilePath(temporary.path), access: .readOnly)
        let mapping = try HostMapping(file, count: page, protection: .readOnly)
        let decommit = refusal { try mapping.decommit() }
        let protect = refusal { try mapping.protect(.readWrite) }
        #expect(decommit?.reason == .system(.permissionDenied) && protect?.reason == .system(.permissionDenied))
        #expect(mapping.baseAddress.load(as: UInt8.self) == 0x11)
    }

    @Test("A mapping outlives the file's owner")
    func outlivesFile() throws {
        let file = try MemoryFile(memfd: "short-lived", byteCount: page)
        let mapping = try HostMapping(file, count: page)
        _ = consume file
        mapping.baseAddress.storeBytes(of: 42, as: UInt8.self)
        #expect(mapping.baseAddress.load(as: UInt8.self) == 42)
    }

    @Test("A backing is mapped as what it is")
    func backings() throws {
        let temporary = TemporaryFile(byteCount: 8192, fill: 0x11)
        let file = SharedMemoryFile(try MemoryFile(path: FilePath(temporary.path), access: .readWrite))
        let anonymous = try HostMapping(MemoryBacking.anonymous, count: page)
        let copy = try HostMapping(MemoryBacking.file(file, .copyOnWrite), offset: page, count: page)
        let shared = try HostMapping(MemoryBacking.file(file, .shared), offset: page, count: page)
        #expect(anonymous.baseAddress.load(as: UInt8.self) == 0)
        copy.baseAddress.storeBytes(of: 1, as: UInt8.self)
        shared.baseAddress.storeBytes(of: 2, as: UInt8.self)
        #expect(copy.baseAddress.load(as: UInt8.self) == 1)
        #expect(temporary.contents[4096] == 2)
        #expect(temporary.contents[4095] == 0x11)
    }
}
