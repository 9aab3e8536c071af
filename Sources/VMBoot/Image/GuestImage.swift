import SystemPackage

/// A guest image: an open file or bytes in memory, with a name for messages.
///
/// A file is read with `pread(2)` and never mapped: one that is cut short or replaced while the monitor runs
/// is an error at the next read, not a signal. Any thread may use it.
public final class GuestImage: Sendable {
    private enum Storage: Sendable {
        /// A descriptor that `deinit` closes.
        case file(CInt)
        case bytes([UInt8])
    }

    /// The last component of the path, or what the bytes were called.
    public let name: String
    /// In bytes; that of a file as it was opened.
    public let count: UInt64
    private let storage: Storage

    /// An image that is in memory already.
    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.count = UInt64(bytes.count)
        self.storage = .bytes(bytes)
    }

    /// Opens a regular file, without ever waiting for one that is none.
    /// - Throws: `BootError` of kind `noSuchInput` (missing, a directory, a FIFO, a device, ...),
    ///   `notPermitted`, or `badImage` for an empty one.
    public init(path: String) throws(BootError) {
        guard !path.utf8.contains(0) else {
            throw BootError(.noSuchInput, path, "a path cannot contain a zero byte")
        }
        let filePath = FilePath(path)
        let file = try Self.open(filePath)
        do {
            self.count = try Self.checkedSize(of: file, path)
        } catch {
            try? file.close()
            throw error
        }
        self.name = filePath.lastComponent?.string ?? path
        self.storage = .file(file.rawValue)
    }

    deinit {
        if case .file(let descriptor) = storage {
            try? FileDescriptor(rawValue: descriptor).close()
        }
    }

    /// Fills `buffer` with the bytes from `offset` on.
    /// - Throws: `BootError` of kind `badImage` where the image ends before, also when it does so only since
    ///   it was opened, or where reading fails; `memoryFailure` where the host has no memory behind `buffer`.
    public func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(BootError) {
        try check(offset, UInt64(buffer.count))
        switch storage {
        case .bytes(let bytes):
            bytes.withUnsafeBytes { source in
                // `check` bounds both by the array's count, an `Int`.
                let wanted = Int(offset)..<(Int(offset) + buffer.count)
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[wanted]))
            }
        case .file(let descriptor):
            try readFile(FileDescriptor(rawValue: descriptor), at: offset, into: buffer)
        }
    }

    /// The `count` bytes from `offset` on where the image is in memory, nil where it is a file.
    /// - Throws: as `read(at:into:)`.
    func bytesInMemory(at offset: UInt64, count: UInt64) throws(BootError) -> ArraySlice<UInt8>? {
        guard case .bytes(let bytes) = storage else { return nil }
        try check(offset, count)
        // `check` bounds both by the array's count, an `Int`.
        return bytes[Int(offset)..<Int(offset + count)]
    }

    /// The `count` bytes from `offset` on.
    /// - Throws: as `read(at:into:)`, before it allocates where the image is too short.
    public func read(at offset: UInt64, count: Int) throws(BootError) -> [UInt8] {
        let count = max(count, 0)
        try check(offset, UInt64(count))
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBufferPointer { (buffer) throws(BootError) in
            try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return bytes
    }

    private func check(_ offset: UInt64, _ wanted: UInt64) throws(BootError) {
        let (end, overflow) = offset.addingReportingOverflow(wanted)
        guard !overflow, end <= count else {
            throw BootError(
                .badImage, name,
                "\(byteText(wanted)) at offset \(hex(offset)) are past its end at \(hex(count)); the file is cut short")
        }
    }
}

extension GuestImage {
    private static func open(_ path: FilePath) throws(BootError) -> FileDescriptor {
        do {
            // Without `nonBlocking`, opening a FIFO waits for a writer.
            return try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
        } catch {
            throw BootError(opening: path.string, error as? Errno)
        }
    }

    private static func checkedSize(of file: FileDescriptor, _ path: String) throws(BootError) -> UInt64 {
        let status: Stat
        do {
            status = try file.stat()
        } catch {
            throw BootError(.noSuchInput, path, "cannot be examined: \(error)")
        }
        switch status.type {
        case .regular: break
        case .directory: throw BootError(.noSuchInput, path, "is a directory; name the image file in it")
        default: throw BootError(.noSuchInput, path, "is not a regular file; copy its contents to one")
        }
        guard let size = UInt64(exactly: status.size), size > 0 else {
            throw BootError(.badImage, path, "is empty; was it written completely?")
        }
        return size
    }

    private func readFile(
        _ file: FileDescriptor, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BootError) {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let position = offset + UInt64(done)
            let got: Int
            do {
                // `check` bounds the position by the file's size, an `Int64`.
                got = try file.read(fromAbsoluteOffset: Int64(position), into: rest)
            } catch Errno.badAddress {
                throw BootError(
                    .memoryFailure, name,
                    "cannot be read into memory at offset \(hex(position)): the host has none there")
            } catch {
                throw BootError(.badImage, name, "cannot be read at offset \(hex(position)): \(error)")
            }
            guard got > 0 else {
                throw BootError(
                    .badImage, name,
                    "ends at offset \(hex(position)) now, but was \(byteText(count)) when opened; "
                        + "leave it alone while the guest starts")
            }
            done += got
        }
    }
}

extension BootError {
    fileprivate init(opening path: String, _ errno: Errno?) {
        switch errno {
        case .noSuchFileOrDirectory?, .notDirectory?:
            self.init(.noSuchInput, path, "there is no such file; check the path")
        case .permissionDenied?, .notPermitted?:
            self.init(.notPermitted, path, "may not be read; check its mode and that of its folders")
        case let other:
            self.init(.noSuchInput, path, "cannot be opened" + (other.map { ": \($0)" } ?? ""))
        }
    }
}
