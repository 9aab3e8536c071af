import FoundationEssentials
import Glibc
import SystemPackage

/// A file that people write, and what they are told where it is not as it should be.
struct JSONFile {
    /// `-` for standard input.
    let path: String
    /// What messages begin with.
    let label: String
    /// What is in it, for messages.
    let kind: String
    /// The status to exit with where the content is not as it should be.
    let badStatus: ExitStatus

    /// - Parameter largestMebibytes: more than any such file needs, and little enough to read whole.
    func read<Value: Decodable>(_ type: Value.Type, largestMebibytes: Int) throws(Failure) -> Value {
        let bytes = try contents(largestMebibytes << 20)
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw Failure(badStatus, "\(label): \(error.message)")
        } catch {
            throw Failure(badStatus, "\(label): \(error)")
        }
    }

    private func contents(_ largestSize: Int) throws(Failure) -> [UInt8] {
        do {
            guard path != "-" else { return try read(.standardInput, largestSize) }
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking])
            return try file.closeAfter { try read(file, largestSize) }
        } catch let failure as Failure {
            throw failure
        } catch Errno.permissionDenied, Errno.notPermitted {
            throw Failure(.notPermitted, "\(label): may not be read; check its permissions")
        } catch {
            throw Failure(.noInput, "\(label): \(error); name a JSON file")
        }
    }

    private func read(_ file: FileDescriptor, _ largestSize: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: largestSize)
        var count = 0
        while count < bytes.count {
            let read = try Self.readMore(file, into: &bytes, at: count)
            guard read > 0 else { return Array(bytes[..<count]) }
            count += read
        }
        throw Failure(badStatus, "\(label): is larger than a \(kind) can be (\(largestSize >> 20) MiB)")
    }

    /// Opening must not wait for a writer that never comes; reading waits for one that is there.
    private static func readMore(_ file: FileDescriptor, into bytes: inout [UInt8], at count: Int) throws -> Int {
        while true {
            do {
                return try bytes.withUnsafeMutableBytes { buffer in
                    try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...]))
                }
            } catch Errno.resourceTemporarilyUnavailable {
                var descriptor = pollfd(fd: file.rawValue, events: Int16(POLLIN), revents: 0)
                poll(&descriptor, 1, -1)
            }
        }
    }
}
