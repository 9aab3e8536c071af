/// Where a migration stream comes from or goes to.
///
/// - `unix:PATH`: a socket in the file system;
/// - `tcp:HOST:PORT`: HOST is a name or an address, of IPv6 in brackets (`tcp:[::1]:4444`); port 0 lets a listener choose;
/// - `fd:N`: a descriptor that the process has been given, of a connected socket, a pipe or a file;
/// - `file:PATH`: a file.
public struct MigrationURI: Hashable, Sendable, CustomStringConvertible {
    /// What is meant by it.
    public enum Target: Hashable, Sendable {
        case unix(path: String)
        /// - host: without brackets.
        case tcp(host: String, port: UInt16)
        case descriptor(CInt)
        case file(path: String)
    }

    public let target: Target

    /// The longest path of a `unix:` socket, in bytes: `sun_path` of unix(7) without the zero at its end.
    public static let maximumSocketPathLength = 107

    public init(_ text: String) throws(MigrationURIError) {
        guard let colon = text.firstIndex(of: ":") else {
            throw MigrationURIError(text, "it has to begin with unix:, tcp:, fd: or file:")
        }
        let rest = text[text.index(after: colon)...]
        do throws(Reason) {
            target =
                switch text[..<colon] {
                case "unix": .unix(path: try Self.path(rest, atMost: Self.maximumSocketPathLength))
                case "tcp": try Self.tcp(rest)
                case "fd": .descriptor(try Self.descriptor(rest))
                case "file": .file(path: try Self.path(rest, atMost: 4095))
                default: throw Reason("\(text[..<colon].debugDescription) is none of unix, tcp, fd and file")
                }
        } catch {
            throw MigrationURIError(text, error.text)
        }
    }

    init(target: Target) {
        self.target = target
    }

    /// The text that gives it again.
    public var description: String {
        switch target {
        case .unix(let path): "unix:\(path)"
        case .tcp(let host, let port):
            host.utf8.contains(UInt8(ascii: ":")) ? "tcp:[\(host)]:\(port)" : "tcp:\(host):\(port)"
        case .descriptor(let number): "fd:\(number)"
        case .file(let path): "file:\(path)"
        }
    }

    // MARK: Parts

    private struct Reason: Error {
        let text: String

        init(_ text: String) {
            self.text = text
        }
    }

    private static func path(_ text: Substring, atMost limit: Int) throws(Reason) -> String {
        guard !text.isEmpty else { throw Reason("the path is missing") }
        guard !text.utf8.contains(0) else { throw Reason("the path has a zero byte in it") }
        guard text.utf8.count <= limit else {
            throw Reason("the path has \(text.utf8.count) bytes, and \(limit) are possible")
        }
        return String(text)
    }

    private static func tcp(_ text: Substring) throws(Reason) -> Target {
        let host: Substring
        let portText: Substring
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else {
                throw Reason("the bracket before the address is not closed")
            }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.first == ":" else { throw Reason("the port is missing: it is tcp:[ADDRESS]:PORT") }
            portText = rest.dropFirst()
        } else {
            guard let colon = text.lastIndex(of: ":") else { throw Reason("the port is missing: it is tcp:HOST:PORT") }
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
            guard !host.utf8.contains(UInt8(ascii: ":")) else {
                throw Reason("an address of IPv6 stands in brackets: tcp:[ADDRESS]:PORT")
            }
        }
        guard !host.isEmpty else {
            throw Reason("the host is missing; a listener on all addresses is tcp:0.0.0.0:PORT or tcp:[::]:PORT")
        }
        guard !host.utf8.contains(0) else { throw Reason("the host has a zero byte in it") }
        guard isNumber(portText), let port = UInt16(portText) else {
            throw Reason("the port has to be a number from 0 to 65535, not \(String(portText).debugDescription)")
        }
        return .tcp(host: String(host), port: port)
    }

    private static func descriptor(_ text: Substring) throws(Reason) -> CInt {
        guard isNumber(text), let number = CInt(text) else {
            throw Reason("the descriptor has to be a number from 0 on, not \(String(text).debugDescription)")
        }
        return number
    }

    /// Whether it is digits alone, so that no sign gets through.
    private static func isNumber(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}

/// A text that is no `MigrationURI`.
public struct MigrationURIError: Error, Hashable, Sendable, CustomStringConvertible {
    public let text: String
    public let reason: String

    init(_ text: String, _ reason: String) {
        self.text = text
        self.reason = reason
    }

    public var description: String { "\(text.debugDescription) is no address of a migration: \(reason)" }
}
