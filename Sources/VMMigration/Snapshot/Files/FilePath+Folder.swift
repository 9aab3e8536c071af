import Glibc
import SystemPackage
import VMHost

extension FilePath {
    /// The folder it is in.
    var folder: FilePath {
        let folder = removingLastComponent()
        return folder.isEmpty ? "." : folder
    }

    /// As the kernel takes it.
    var bytes: [UInt8] {
        withPlatformString {
            $0.withMemoryRebound(to: UInt8.self, capacity: length) {
                Array(UnsafeBufferPointer(start: $0, count: length))
            }
        }
    }

    /// How to get from a folder to this file, whatever links are on the way to either.
    /// - Throws: `Errno`, where a folder is not there.
    func relative(toFolder other: FilePath) throws(Errno) -> FilePath {
        guard let name = lastComponent else { throw .invalidArgument }
        let target = Array(try folder.resolved().components)
        let start = Array(try other.resolved().components)
        let common = zip(target, start).prefix { $0 == $1 }.count
        var path = FilePath(root: nil, start[common...].map { _ in FilePath.Component("..") })
        path.append(target[common...])
        path.append(name)
        return path
    }

    /// Absolute, and without symbolic links.
    func resolved() throws(Errno) -> FilePath {
        guard let resolved = withPlatformString({ realpath($0, nil) }) else { throw .last }
        defer { free(resolved) }
        return FilePath(platformString: resolved)
    }
}
