import Glibc
import SystemPackage
import VMHost

/// One of the files that a snapshot is made of, open for reading as long as something refers to it.
///
/// It is never written in place: a snapshot that replaces another is another file, and this one stays until it is closed and
/// no mapping of it is left. But whoever may write to it can cut it off. Reading then throws; touching a mapping of what is
/// gone is a `SIGBUS`, and no lock that a file has prevents that (`flock(2)` does not stop truncate(2)). A monitor that cannot
/// trust who may write to its snapshots must copy them, rather than map them.
public final class SnapshotFile: Sendable {
    public let path: FilePath
    public let descriptor: FileDescriptor
    public let id: SnapshotID
    public let isFull: Bool
    /// Where each block starts in the file, in bytes: page n of it is 4096 n from there, if the file has it.
    public let bases: [UInt64]
    let reader: FileReader
    let identity: FileIdentity
    let header: SnapshotHeader
    /// Where the hashes are, and how many.
    let hashOffset: UInt64
    let dataCount: UInt64

    /// - Returns: also what the index has.
    static func open(_ path: FilePath) throws(SnapshotError) -> (file: SnapshotFile, index: SnapshotIndex) {
        // Opening a device can do things to it, and opening a pipe waits for its other end.
        guard try FileIdentity.find(path, .open) != nil else {
            throw SnapshotError(.open, path, Errno.noSuchFileOrDirectory)
        }
        let number = path.withPlatformString { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard number >= 0 else { throw SnapshotError(.open, path, Errno.last) }
        let reader = FileReader(owning: FileDescriptor(rawValue: number), path: path)
        let (identity, length) = try FileIdentity.of(reader.descriptor, path)
        let header = try SnapshotHeader(reading: reader, fileLength: length)
        let index = try SnapshotIndex(reading: reader, header, .open)
        return (SnapshotFile(consume reader, identity, header, index), index)
    }

    private init(
        _ reader: consuming FileReader, _ identity: FileIdentity, _ header: SnapshotHeader, _ index: SnapshotIndex
    ) {
        path = reader.path
        descriptor = reader.descriptor
        self.reader = reader
        id = header.id
        isFull = header.parent == nil
        bases = index.bases
        hashOffset = index.hashOffset
        dataCount = (header.indexOffset - index.hashOffset) / 8
        self.identity = identity
        self.header = header
    }
}
