import Glibc
import TestSupport
import Testing

/// A source and a destination, each a process of its own, one of which stops itself at a point.
struct MigrationPair {
    enum Link: String, CaseIterable, Sendable {
        case unix, tcp
    }

    let source: ChildProcess
    let destination: ChildProcess
    /// Between the two, which each of them has for its peer then.
    private(set) var relay: ChildProcess?
    private let folder: TemporaryFolder
    static let endOfTransmission: [UInt8] = [4]

    /// - Parameters:
    ///   - sourceStage: where the source stops, "none" for nowhere; the destination likewise.
    ///   - stall: after how long a peer that says nothing is given up, in milliseconds.
    ///   - isRelayed: whether a third process passes on what the two say.
    init(
        _ link: Link = .unix, sourceStage: String = "none", destinationStage: String = "none", stall: Int = 30_000,
        isRelayed: Bool = false
    ) throws {
        folder = try TemporaryFolder()
        // A port that was free a moment ago.
        let uri = link == .unix ? "unix:" + folder.path("socket") : "tcp:127.0.0.1:\(Self.freePort())"
        let program = VMMProgram.testProgram("MigrationPeer")
        destination = try ChildProcess(
            program, ["destination", uri, destinationStage, "\(stall)"], input: .open)
        try destination.waitForOutput(Self.marker("listening"))
        relay = isRelayed ? try Self.relay(in: folder) : nil
        source = try ChildProcess(
            program,
            [
                "source", isRelayed ? Self.relayURI(in: folder) : uri, sourceStage, "\(stall)", "--", "--base", "16M",
                "--set", "512K", "--rate", "40M",
            ],
            input: .open)
    }

    /// Kills the relay.
    mutating func breakRelay() throws {
        relay?.send(signal: SIGKILL)
        _ = try relay?.finish()
        relay = nil
        unlink(folder.path("relay"))
    }

    /// Lets the two reach each other again.
    mutating func repairRelay() throws {
        relay = try Self.relay(in: folder)
    }

    /// The destination, which stands still, is to have the guest when it goes on, and the source, which cannot know that, to keep
    /// its own still.
    func expectGuestAtDestination() throws {
        try source.waitFor("in doubt")
        destination.send(signal: SIGCONT)
        try destination.waitFor("has the guest")
        try destination.waitForOutput("pass")
        let there = try destination.endGuest()
        source.send(signal: SIGKILL)
        let here = try source.finish()
        #expect(!here.has("ended") && !here.has("runs on"), "\(here)")
        #expect(there.has("ended: powered off"), "\(there)")
        #expect(isUnbroken(here.guestText + there.guestText))
    }

    private static func relayURI(in folder: TemporaryFolder) -> String { "unix:" + folder.path("relay") }

    private static func relay(in folder: TemporaryFolder) throws -> ChildProcess {
        let relay = try ChildProcess(
            VMMProgram.testProgram("MigrationPeer"), ["relay", relayURI(in: folder), "unix:" + folder.path("socket")])
        try relay.waitForOutput(marker("listening"))
        return relay
    }

    static func marker(_ text: String) -> String { "\u{1}\(text)" }

    private static func freePort() -> UInt16 {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { address in
            // SAFETY: the calls take the address of any family as a sockaddr, and its real size.
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(descriptor, pointer, length)
                getsockname(descriptor, pointer, &length)
            }
            return UInt16(bigEndian: address.pointee.sin_port)
        }
    }
}

extension ChildProcess {
    func waitFor(_ event: String) throws {
        try waitForOutput(MigrationPair.marker(event))
    }

    /// Has the guest end, and gives the process's run.
    func endGuest() throws -> FinishedRun {
        send(MigrationPair.endOfTransmission)
        return try finish()
    }
}

extension FinishedRun {
    /// What the guest said.
    var guestText: String { split.guest }
    /// What happened.
    var events: [String] { split.events }

    private var split: (guest: String, events: [String]) {
        var guest = ""
        var events: [String] = []
        for part in text.split(separator: "\u{1}", omittingEmptySubsequences: false) {
            guard let end = part.firstIndex(of: "\u{2}") else {
                guest += part
                continue
            }
            events.append(String(part[..<end]))
            guest += part[part.index(after: end)...]
        }
        return (guest, events)
    }

    func has(_ event: String) -> Bool { events.contains { $0.hasPrefix(event) } }
}

/// Whether the guest's lines are `pass N ok` from 1 on without a gap, and then its last.
func isUnbroken(_ text: String) -> Bool {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.popLast() == "", let last = lines.popLast(), !lines.isEmpty else { return false }
    for (index, line) in lines.enumerated() where line != "pass \(index + 1) ok" { return false }
    return last == "dirty: \(lines.count) passes ok" || last == "dirty: \(lines.count + 1) passes ok"
}
