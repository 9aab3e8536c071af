import FoundationEssentials
import Glibc
import SystemPackage
import VMMachine

/// A machine's configuration as a JSON file.
enum ConfigurationFile {
    /// More than any configuration needs, and little enough to read whole.
    private static let largestSize = 1 << 20

    static func read(_ path: String) throws(Failure) -> MachineConfiguration {
        let bytes = try contents(of: path)
        do {
            return try JSONDecoder().decode(MachineConfiguration.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw Failure(.usage, "--config: \(path): \(text(error))")
        } catch {
            throw Failure(.usage, "--config: \(path): \(error)")
        }
    }

    private static func contents(of path: String) throws(Failure) -> [UInt8] {
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec, .nonBlocking])
            return try file.closeAfter {
                var bytes = [UInt8](repeating: 0, count: largestSize)
                var count = 0
                while count < bytes.count {
                    let read = try readMore(file, into: &bytes, at: count)
                    guard read > 0 else { return Array(bytes[..<count]) }
                    count += read
                }
                throw Failure(.usage, "--config: \(path): is larger than a configuration can be (1 MiB)")
            }
        } catch let failure as Failure {
            throw failure
        } catch Errno.permissionDenied, Errno.notPermitted {
            throw Failure(.notPermitted, "--config: \(path): may not be read; check its permissions")
        } catch {
            throw Failure(.noInput, "--config: \(path): \(error); name a JSON file")
        }
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

    static func text(_ configuration: MachineConfiguration) throws(Failure) -> String {
        try JSONText.make(configuration)
    }

    /// The key at fault first, then what is wrong with it.
    private static func text(_ error: DecodingError) -> String {
        switch error {
        case .typeMismatch(let type, let context):
            "\(key(context.codingPath)): is not of the right type, which is \(name(type))"
        case .valueNotFound(let type, let context):
            "\(key(context.codingPath)): is null, and should be of type \(name(type))"
        case .keyNotFound(let key, let context):
            "\(self.key(context.codingPath + [key])): is missing"
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            "is not JSON: \(reason(context))"
        case .dataCorrupted(let context):
            "\(key(context.codingPath)): \(context.debugDescription)"
        @unknown default:
            "\(error)"
        }
    }

    private static func reason(_ context: DecodingError.Context) -> String {
        guard let error = context.underlyingError else { return context.debugDescription }
        return "\(error)"
    }

    private static func key(_ path: [any CodingKey]) -> String {
        guard !path.isEmpty else { return "the whole" }
        return path.enumerated().map { depth, key in
            key.intValue.map { "[\($0)]" } ?? (depth == 0 ? "" : ".") + key.stringValue
        }.joined()
    }

    private static func name(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "string"
        case is Bool.Type: "true or false"
        case is Int.Type, is UInt64.Type: "integer"
        case is Double.Type: "number"
        default:
            // The decoder names containers by types of its own.
            "\(type)".hasPrefix("Array") ? "array" : "\(type)".hasPrefix("Dictionary") ? "object" : "\(type)"
        }
    }
}
