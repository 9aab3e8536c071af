import Glibc
import SystemPackage
import Testing
import VMAddressSpace

@testable import VMMemory

private let page: UInt64 = 4096

@Suite("Memory files")
struct MemoryFileTests {
    @Test("A memfd has the length it was made with, reads zero and is writable")
    func memfd() throws {
        let file = try MemoryFile(memfd: "ram", byteCount: 3 * page)
        let length = try file.byteCount
        let (name, isWritable, pageSize) = (file.name, file.isWritable, file.pageSize)
        #expect(length == 3 * page)
        #expect(name == "memfd:ram" && isWritable && pageSize == .size4K)
        let mapping = try HostMapping(file, count: 3 * page)
        #expect(UnsafeRawBufferPointer(start: mapping.baseAddress, count: mapping.count).allSatisfy { $0 == 0 })
    }

    @Test("A memfd is known to the host by its name, for as long as its owner and its mappings live")
    func memfdLifetime() throws {
        func isMapped() -> Bool { ProcessMaps.areas().contains { $0.name.hasPrefix("/memfd:lifetime") } }
        let file = try MemoryFile(memfd: "lifetime", byteCount: page)
        let mapping = try HostMapping(file, count: page)
        #expect(isMapped())
        _ = consume mapping
        #expect(!isMapped())
        let again = try HostMapping(file, count: page, options: .guardPages)
        _ = consume file
        #expect(isMapped())
        _ = consume again
        #expect(!isMapped())
    }

    @Test("A sealed memfd cannot be shrunk, nor unsealed; one that is not sealed can be shrunk")
    func sealing() throws {
        let sealed = try MemoryFile(memfd: "sealed", byteCount: 2 * page)
        #expect(ftruncate(sealed.descriptor.rawValue, 4096) == -1 && errno == EPERM)
        let open = try MemoryFile(memfd: "open", byteCount: 2 * page, sealed: false)
        #expect(ftruncate(open.descriptor.rawValue, 4096) == 0)
        let (sealedLength, openLength) = (try sealed.byteCount, try open.byteCount)
        #expect(sealedLength == 2 * page && openLength == page)
    }

    @Test("A memfd can be mapped as far as it reaches at the time, whether it has shrunk or grown")
    func lengthWhenMapped() throws {
        func canMap(_ file: borrowing MemoryFile, pages: UInt64) -> Bool {
            do {
                _ = try HostMapping(file, count: pages * page)
                return true
            } catch {
                return false
            }
        }
        let open = try MemoryFile(memfd: "open", byteCount: 2 * page, sealed: false)
        let whole = canMap(open, pages: 2)
        try #require(ftruncate(open.descriptor.rawValue, 4096) == 0)
        let (shrunk, rest) = (canMap(open, pages: 2), canMap(open, pages: 1))
        #expect(whole && !shrunk && rest)
        let sealed = try MemoryFile(memfd: "sealed", byteCount: page)
        let beyond = canMap(sealed, pages: 2)
        try #require(ftruncate(sealed.descriptor.rawValue, 8192) == 0)
        let (grown, more) = (canMap(sealed, pages: 2), canMap(sealed, pages: 3))
        #expect(!beyond && grown && !more)
    }

    @Test(
        "A memfd's length must be whole pages",
        arguments: [
            (0, .size4K, .empty),
            (page - 1, .size4K, .misaligned(.size4K)),
            (page, .size2M, .misaligned(.size2M)),
            (1 << 21, .size1G, .misaligned(.size1G)),
            (1 << 63, .size4K, .outOfBounds(limit: UInt64(Int64.max))),
            (.max - 4095, .size4K, .outOfBounds(limit: UInt64(Int64.max))),
        ] as [(UInt64, PageSize, HostMemoryError.Reason)])
    func badMemfdLengths(count: UInt64, pageSize: PageSize, reason: HostMemoryError.Reason) {
        let error = refusal { _ = try MemoryFile(memfd: "bad", byteCount: count, pageSize: pageSize) }
        #expect(error == HostMemoryError(.createMemfd, .init(offset: 0, count: count), file: "bad", reason))
    }

    @Test("A memfd's name has at most 249 bytes")
    func memfdName() throws {
        let longest = String(repeating: "n", count: 249)
        _ = try MemoryFile(memfd: longest, byteCount: page)
        let error = refusal { _ = try MemoryFile(memfd: longest + "n", byteCount: page) }
        #expect(error?.reason == .nameTooLong(limit: 249))
    }

    @Test("What is not a regular file is not opened, and said to be what it is")
    func notFiles() throws {
        var ends: [CInt] = [-1, -1]
        try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        let fifo = "/tmp/vmmemory-test-fifo-\(getpid())"
        try #require(mkfifo(fifo, 0o600) == 0)
        defer { unlink(fifo) }
        for (path, kind) in [
            ("/tmp", .directory), ("/dev/null", .characterDevice), (fifo, .pipe), ("/proc/self/fd/\(ends[0])", .socket),
        ] as [(String, HostMemoryError.FileKind)] {
            for access in [MemoryFile.Access.readOnly, .readWrite] {
                let error = refusal { _ = try MemoryFile(path: FilePath(path), access: access) }
                #expect(error == HostMemoryError(.open, file: path, .notAFile(kind)))
            }
        }
    }

    @Test("A path that leads nowhere is an error with the path and the errno")
    func noSuchFile() {
        let error = refusal { _ = try MemoryFile(path: "/nonexistent/ram", access: .readOnly) }
        #expect(error == HostMemoryError(.open, file: "/nonexistent/ram", .system(.noSuchFileOrDirectory)))
    }

    @Test("A file of someone else's cannot be opened")
    func permissionDenied() async {
        await #expect(processExitsWith: .success) {
            let temporary = TemporaryFile(byteCount: 4096)
            try #require(chmod(temporary.path, 0o400) == 0)
            if geteuid() == 0 { try #require(seteuid(65534) == 0) }
            let error = refusal { _ = try MemoryFile(path: FilePath(temporary.path), access: .readWrite) }
            if getuid() == 0 { try #require(seteuid(0) == 0) }
            #expect(error?.reason == .system(.permissionDenied))
        }
    }

    @Test("A descriptor is adopted with the rights it was opened with")
    func adopting() throws {
        let temporary = TemporaryFile(byteCount: 4096)
        for (mode, isWritable) in [(O_RDONLY, false), (O_RDWR, true)] {
            let file = try MemoryFile(
                adopting: FileDescriptor(rawValue: open(temporary.path, mode)), name: "adopted")
            let found = file.isWritable
            #expect(found == isWritable)
        }
    }

    @Test("A descriptor that cannot back memory is refused and closed")
    func badDescriptors() throws {
        let temporary = TemporaryFile(byteCount: 4096)
        let pathOnly = CInt(0o10000000)
        for (descriptor, reason) in [
            (open(temporary.path, O_WRONLY), .fileIsNotReadable),
            (open(temporary.path, pathOnly), .fileIsNotReadable),
            (open("/dev/null", O_RDWR), .notAFile(.characterDevice)),
            (-1, .system(.badFileDescriptor)),
        ] as [(CInt, HostMemoryError.Reason)] {
            let error = refusal { _ = try MemoryFile(adopting: FileDescriptor(rawValue: descriptor), name: "refused") }
            #expect(error == HostMemoryError(.adopt, file: "refused", reason))
        }
    }

    @Test("Its owner closes a descriptor, and so does a refusal to own it")
    func closing() async {
        // A process of its own: elsewhere a thread of another test could be given the same descriptor.
        await #expect(processExitsWith: .success) {
            let memfd = try MemoryFile(memfd: "closed", byteCount: 4096)
            let owned = memfd.descriptor.rawValue
            try #require(fcntl(owned, F_GETFD) & FD_CLOEXEC != 0)
            _ = consume memfd
            try #require(fcntl(owned, F_GETFD) == -1)
            let refused = open("/dev/null", O_RDWR)
            _ = try? MemoryFile(adopting: FileDescriptor(rawValue: refused), name: "refused")
            try #require(fcntl(refused, F_GETFD) == -1)
        }
    }

    @Test("A file that ends before the mapping is refused, with both lengths")
    func shortFile() throws {
        let temporary = TemporaryFile(byteCount: 6000)
        let file = try MemoryFile(path: FilePath(temporary.path), access: .readWrite)
        for (offset, count) in [(0, 2 * page), (page, page), (8 * page, page), (UInt64(Int64.max) - 8191, page)] {
            let extent = HostMemoryError.Extent(offset: offset, count: count)
            let error = refusal { _ = try HostMapping(file, offset: offset, count: count) }
            #expect(error == HostMemoryError(.map, extent, file: temporary.path, .fileTooShort(length: 6000)))
        }
        _ = try HostMapping(file, count: page)
    }

    @Test("Offsets and lengths in a file must be whole pages below 2^63")
    func badFileRanges() throws {
        let file = try MemoryFile(memfd: "ranges", byteCount: 4 * page)
        for (offset, count, reason) in [
            (0, 0, .empty),
            (1, page, .misaligned(.size4K)),
            (page, page / 2, .misaligned(.size4K)),
            (.max - 4095, page, .outOfBounds(limit: UInt64(Int64.max))),
            (1 << 63, page, .outOfBounds(limit: UInt64(Int64.max))),
            (page, .max - 4095, .outOfBounds(limit: UInt64(Int64.max))),
        ] as [(UInt64, UInt64, HostMemoryError.Reason)] {
            let extent = HostMemoryError.Extent(offset: offset, count: count)
            let map = refusal { _ = try HostMapping(file, offset: offset, count: count) }
            let preallocate = refusal { try file.preallocate(offset: offset, count: count) }
            let punchHole = refusal { try file.punchHole(offset: offset, count: count) }
            #expect(map == HostMemoryError(.map, extent, file: "memfd:ranges", reason))
            #expect(preallocate == HostMemoryError(.preallocate, extent, file: "memfd:ranges", reason))
            #expect(punchHole == HostMemoryError(.punchHole, extent, file: "memfd:ranges", reason))
        }
    }

    @Test("A read-only file can be mapped to read, or to write copies, but not to write")
    func readOnlyFile() throws {
        let temporary = TemporaryFile(byteCount: 4096, fill: 0x11)
        let file = try MemoryFile(path: FilePath(temporary.path), access: .readOnly)
        let extent = HostMemoryError.Extent(offset: 0, count: page)
        let refused = refusal { _ = try HostMapping(file, count: page) }
        #expect(refused == HostMemoryError(.map, extent, file: temporary.path, .fileIsReadOnly))
        let shared = try HostMapping(file, count: page, protection: .readOnly)
        let copy = try HostMapping(file, count: page, sharing: .copyOnWrite)
        copy.baseAddress.storeBytes(of: 0x22, as: UInt8.self)
        #expect(shared.baseAddress.load(as: UInt8.self) == 0x11)
        let preallocate = refusal { try file.preallocate(offset: 0, count: page) }
        let punchHole = refusal { try file.punchHole(offset: 0, count: page) }
        #expect(preallocate?.reason == .fileIsReadOnly && punchHole?.reason == .fileIsReadOnly)
        #expect(temporary.contents.allSatisfy { $0 == 0x11 })
    }

    @Test("Preallocating takes the space, and keeps length and contents")
    func preallocate() throws {
        let file = try MemoryFile(memfd: "preallocated", byteCount: 8 * page)
        let mapping = try HostMapping(file, count: 8 * page)
        mapping.baseAddress.storeBytes(of: 0x11, as: UInt8.self)
        try file.preallocate(offset: 0, count: 4 * page)
        var status = stat()
        try #require(fstat(file.descriptor.rawValue, &status) == 0)
        #expect(status.st_blocks * 512 == 4 * 4096)
        #expect(status.st_size == 8 * 4096)
        #expect(mapping.baseAddress.load(as: UInt8.self) == 0x11)
        try file.punchHole(offset: page, count: 3 * page)
        try #require(fstat(file.descriptor.rawValue, &status) == 0)
        #expect(status.st_blocks * 512 == 4096)
    }

    /// The bytes that /dev/shm can hold; 0 where there is none or it has no limit.
    private static var sharedMemorySize: UInt64 {
        var fileSystem = statvfs()
        guard statvfs("/dev/shm", &fileSystem) == 0 else { return 0 }
        return UInt64(fileSystem.f_blocks) * UInt64(fileSystem.f_bsize)
    }

    @Test(
        "A file system without enough room says so before anything is touched",
        .enabled(if: sharedMemorySize > 0, "needs a /dev/shm of limited size"))
    func fullFileSystem() throws {
        // Longer than all of /dev/shm: refused at once, so that nothing fills it meanwhile.
        let count = (Self.sharedMemorySize + (1 << 30)) & ~4095
        let temporary = TemporaryFile(byteCount: Int(count), in: "/dev/shm")
        let file = try MemoryFile(path: FilePath(temporary.path), access: .readWrite)
        let extent = HostMemoryError.Extent(offset: 0, count: count)
        let refused = refusal { try file.preallocate(offset: 0, count: count) }
        #expect(refused == HostMemoryError(.preallocate, extent, file: temporary.path, .system(.noSpace)))
        var status = stat()
        try #require(fstat(file.descriptor.rawValue, &status) == 0)
        #expect(status.st_blocks == 0)
        _ = try HostMapping(file, count: count)
    }

    @Test("With all descriptors in use, a memfd and a file are refused with EMFILE")
    func descriptorLimit() async {
        await #expect(processExitsWith: .success) {
            let temporary = TemporaryFile(byteCount: 4096)
            var limit = rlimit()
            try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            let soft = limit.rlim_cur
            limit.rlim_cur = 0
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            let reasons = [
                refusal { _ = try MemoryFile(memfd: "one too many", byteCount: 4096) },
                refusal { _ = try MemoryFile(path: FilePath(temporary.path), access: .readOnly) },
            ].map { $0?.reason }
            limit.rlim_cur = soft
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            #expect(reasons == [.system(.tooManyOpenFiles), .system(.tooManyOpenFiles)])
        }
    }

    @Test("A file past the process's limit on sizes is an error and not a signal")
    func fileSizeLimit() async {
        await #expect(processExitsWith: .success) {
            let file = try MemoryFile(memfd: "made before", byteCount: 4 * 4096)
            var limit = rlimit()
            try #require(getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            limit.rlim_cur = 2 * 4096
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            _ = try MemoryFile(memfd: "small", byteCount: 2 * 4096)
            try file.preallocate(offset: 0, count: 2 * 4096)
            let large = refusal { _ = try MemoryFile(memfd: "large", byteCount: 3 * 4096) }
            #expect(large?.reason == .fileSizeLimit(2 * 4096))
            let refused = refusal { try file.preallocate(offset: 4096, count: 2 * 4096) }
            #expect(refused?.reason == .fileSizeLimit(2 * 4096))
        }
    }
}
