import Testing
import VMMigration

@Suite("Addresses of migrations")
struct MigrationURITests {
    @Test(
        "An address gives its text back",
        arguments: [
            ("unix:/run/vm.sock", MigrationURI.Target.unix(path: "/run/vm.sock")),
            ("unix:a:b", .unix(path: "a:b")),
            ("tcp:localhost:4444", .tcp(host: "localhost", port: 4444)),
            ("tcp:10.0.0.1:0", .tcp(host: "10.0.0.1", port: 0)),
            ("tcp:[::1]:65535", .tcp(host: "::1", port: 65535)),
            ("fd:0", .descriptor(0)),
            ("fd:2147483647", .descriptor(.max)),
            ("file:snapshots/one", .file(path: "snapshots/one")),
            ("file:a b", .file(path: "a b")),
        ])
    func roundTrip(_ text: String, _ target: MigrationURI.Target) throws {
        let uri = try MigrationURI(text)
        #expect(uri.target == target)
        #expect(uri.description == text)
    }

    @Test(
        "What is no address is refused, and the reason says why",
        arguments: [
            ("", "begin with unix:"), ("/run/vm.sock", "begin with unix:"), ("http:x", "\"http\" is none"),
            ("unix:", "path is missing"), ("file:", "path is missing"), ("file:a\0b", "zero byte"),
            ("unix:" + String(repeating: "x", count: 108), "108 bytes"),
            ("tcp:host", "port is missing"), ("tcp:[::1]", "port is missing"), ("tcp:[::1:4444", "not closed"),
            ("tcp:::1:4444", "in brackets"), ("tcp::4444", "host is missing"), ("tcp:[]:4444", "host is missing"),
            ("tcp:h:", "port has to be"), ("tcp:h:65536", "port has to be"), ("tcp:h:+1", "port has to be"),
            ("tcp:h:-1", "port has to be"), ("tcp:h\0:1", "zero byte"), ("fd:", "number"), ("fd:-1", "number"),
            ("fd:x", "number"), ("fd:2147483648", "number"),
        ])
    func refusals(_ text: String, _ reason: String) {
        do {
            let uri = try MigrationURI(text)
            Issue.record("\(uri) was taken")
        } catch {
            #expect(error.description.contains(reason))
            #expect(error.text == text)
        }
    }

    @Test("The longest path of a socket is possible")
    func longestPath() throws {
        let text = "unix:" + String(repeating: "x", count: MigrationURI.maximumSocketPathLength)
        #expect(try MigrationURI(text).description == text)
    }
}
