/// Whether mappings of a file see each other's writes.
public enum MemorySharing: Hashable, Sendable {
    /// Writes go to the file, and so to every other shared mapping of it (`MAP_SHARED`).
    case shared
    /// Writes go to a copy of the page that this mapping alone has (`MAP_PRIVATE`); the file can be read-only.
    case copyOnWrite
}

/// A memory file with several users; it is closed when the last is gone.
public final class SharedMemoryFile: Sendable {
    public let file: MemoryFile

    public init(_ file: consuming MemoryFile) {
        self.file = file
    }
}

/// What memory comes from. A value to keep: the same backing can be mapped many times, and again after a change was
/// undone.
public enum MemoryBacking: Sendable {
    /// Zeroed pages that one mapping alone has, provided as they are first touched.
    case anonymous
    /// A memfd or a regular file.
    case file(SharedMemoryFile, MemorySharing)

    public var isAnonymous: Bool {
        if case .anonymous = self { return true }
        return false
    }

    /// A file nobody else uses yet, mapped shared.
    public static func shared(_ file: consuming MemoryFile) -> MemoryBacking {
        .file(SharedMemoryFile(file), .shared)
    }

    /// A file nobody else uses yet, mapped copy-on-write.
    public static func copyOnWrite(_ file: consuming MemoryFile) -> MemoryBacking {
        .file(SharedMemoryFile(file), .copyOnWrite)
    }
}

extension MemoryBacking: Equatable {
    /// Files are the same where they are the same object: two that opened one path are not.
    public static func == (left: MemoryBacking, right: MemoryBacking) -> Bool {
        switch (left, right) {
        case (.anonymous, .anonymous): true
        case (.file(let left, let leftSharing), .file(let right, let rightSharing)):
            left === right && leftSharing == rightSharing
        case (.anonymous, .file), (.file, .anonymous): false
        }
    }
}
