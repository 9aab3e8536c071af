import CHostMemory
import Glibc
import SystemPackage
import VMHost

/// The system calls by which snapshots are written.
package struct FileCalls: Sendable {
    package enum Call: String, Hashable, Sendable {
        case makeUnnamed
        case makeNamed
        case setLength
        case write
        case punchHole
        case synchronize
        case link
        case rename
        case unlink
        case openFolder
    }

    /// Asked before each call, which fails if it throws: so tests have calls fail.
    private let gate: @Sendable (Call) throws(Errno) -> Void

    package static let host = FileCalls { (_: Call) throws(Errno) in }

    package init(gate: @escaping @Sendable (Call) throws(Errno) -> Void) {
        self.gate = gate
    }

    /// Guest memory is nobody else's to read.
    private static let mode: mode_t = 0o600
    /// Kernel ABI; Swift's Glibc leaves it out.
    private static let unnamed: CInt = 0o20_000_000 | O_DIRECTORY

    /// A file that is gone when it is closed, unless it was given a name.
    func makeUnnamed(in folder: FilePath) throws(Errno) -> FileDescriptor {
        try descriptor(.makeUnnamed) {
            folder.withPlatformString { open($0, Self.unnamed | O_RDWR | O_CLOEXEC, Self.mode) }
        }
    }

    func makeNamed(_ path: FilePath) throws(Errno) -> FileDescriptor {
        try descriptor(.makeNamed) {
            path.withPlatformString { open($0, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, Self.mode) }
        }
    }

    func openFolder(_ path: FilePath) throws(Errno) -> FileDescriptor {
        try descriptor(.openFolder) { path.withPlatformString { open($0, O_DIRECTORY | O_RDONLY | O_CLOEXEC) } }
    }

    func setLength(_ file: FileDescriptor, _ length: UInt64) throws(Errno) {
        try result(.setLength) { ftruncate(file.rawValue, off_t(length)) }
    }

    func synchronize(_ file: FileDescriptor) throws(Errno) {
        try result(.synchronize) { fsync(file.rawValue) }
    }

    /// Gives a file that has none a name, which must be free.
    func link(_ file: FileDescriptor, as path: FilePath) throws(Errno) {
        try result(.link) {
            path.withPlatformString { linkat(AT_FDCWD, Self.link(to: file), AT_FDCWD, $0, AT_SYMLINK_FOLLOW) }
        }
    }

    /// Gives a file a further name, which must be free.
    func link(_ path: FilePath, as other: FilePath) throws(Errno) {
        try result(.link) {
            path.withPlatformString { path in other.withPlatformString { Glibc.link(path, $0) } }
        }
    }

    func rename(_ path: FilePath, to other: FilePath) throws(Errno) {
        try result(.rename) {
            path.withPlatformString { path in other.withPlatformString { Glibc.rename(path, $0) } }
        }
    }

    func unlink(_ path: FilePath) throws(Errno) {
        try result(.unlink) { path.withPlatformString { Glibc.unlink($0) } }
    }

    /// Writes all of it.
    func write(_ file: FileDescriptor, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
        var done = 0
        while done < bytes.count {
            try gate(.write)
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = pwrite(file.rawValue, rest.baseAddress, rest.count, off_t(offset) + done)
            // Nothing written and no error is what no file system should say.
            guard count > 0 || (count < 0 && errno == EINTR) else { throw count == 0 ? .ioError : .last }
            done += max(count, 0)
        }
    }

    func punchHole(_ file: FileDescriptor, _ bytes: Range<UInt64>) throws(Errno) {
        try gate(.punchHole)
        let mode = CHOSTMEMORY_FALLOC_FL_PUNCH_HOLE | CHOSTMEMORY_FALLOC_FL_KEEP_SIZE
        var result: CInt
        repeat {
            result = chostmemory_fallocate(file.rawValue, mode, Int64(bytes.lowerBound), Int64(bytes.count))
        } while result == -EINTR
        guard result == 0 else { throw Errno(rawValue: -result) }
    }

    /// Where a file without a name can be found, as long as it is open.
    static func link(to file: FileDescriptor) -> String { "/proc/self/fd/\(file.rawValue)" }

    private func descriptor(_ call: Call, _ body: () -> CInt) throws(Errno) -> FileDescriptor {
        try gate(call)
        var number: CInt
        repeat { number = body() } while number < 0 && errno == EINTR
        guard number >= 0 else { throw .last }
        return FileDescriptor(rawValue: number)
    }

    private func result(_ call: Call, _ body: () -> CInt) throws(Errno) {
        try gate(call)
        var result: CInt
        repeat { result = body() } while result < 0 && errno == EINTR
        guard result == 0 else { throw .last }
    }
}
