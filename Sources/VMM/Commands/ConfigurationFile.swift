import FoundationEssentials
import VMBoot
import VMMachine

/// A machine's configuration as a JSON file.
enum ConfigurationFile {
    /// More than any configuration needs, and little enough to read whole.
    private static let largestSize: UInt64 = 1 << 20

    static func read(_ path: String) throws(Failure) -> MachineConfiguration {
        let bytes: [UInt8]
        do throws(BootError) {
            let file = try GuestImage(path: path)
            guard file.count <= largestSize else {
                throw BootError(.badImage, path, "is \(file.count) bytes, more than a configuration can be")
            }
            bytes = try file.read(at: 0, count: Int(file.count))
        } catch {
            throw Failure(ExitStatus(error), "--config: \(error)")
        }
        do {
            return try JSONDecoder().decode(MachineConfiguration.self, from: Data(bytes))
        } catch let error as DecodingError {
            throw Failure(.usage, "--config: \(path): \(text(error))")
        } catch {
            throw Failure(.usage, "--config: \(path): \(error)")
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
        case is [String].Type, is [MachineConfiguration.Module].Type: "array"
        case is [String: Any].Type: "object"
        default: "\(type)"
        }
    }
}
