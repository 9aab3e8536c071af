import Testing
import VMAddressSpace
import VMMemory

@testable import VMMachine

/// A running machine with the guest `peek`, which is told what to do.
final class PeekSession: Sendable {
    let machine: Machine
    private let console: CollectingConsole

    init(_ change: (inout MachineConfiguration) -> Void = { $0.irqchip = .none }) async throws {
        console = CollectingConsole()
        machine = try makeMachine(
            "peek",
            { configuration in
                // Against hangs alone: the guest waits for its test, and that for its turn among many.
                configuration.timeout = TimeLimit("600s")
                change(&configuration)
            }, console: console)
        try machine.start()
        try await waitForLines(1)
    }

    /// Sends a command.
    /// - Returns: the guest's answer.
    func ask(_ command: String) async throws -> String {
        let answered = lines.count
        let input = Array("\(command)\n".utf8)
        var sent = 0
        while sent < input.count {
            sent += input[sent...].withUnsafeBytes { machine.sendInput($0) }
            if sent < input.count { try await Task.sleep(for: .microseconds(200)) }
        }
        try await waitForLines(answered + 1)
        return lines[answered]
    }

    func read(_ address: UInt64) async throws -> UInt64 {
        let answer = try await ask("read \(address)")
        return try #require(UInt64(answer.dropFirst(2), radix: 16), "\(answer)")
    }

    /// Ends the guest.
    func end() -> RunResult {
        _ = [4].withUnsafeBytes { machine.sendInput($0) }
        return machine.wait()
    }

    private var lines: [String] { console.text.split(separator: "\n").map(String.init) }

    private func waitForLines(_ count: Int) async throws {
        for _ in 0..<30_000 where !hasLines(count) { try await Task.sleep(for: .milliseconds(1)) }
        try #require(hasLines(count), "the guest said: \(console.text)")
    }

    /// Whether so many lines are there to their ends.
    private func hasLines(_ count: Int) -> Bool {
        console.text.utf8.count { $0 == UInt8(ascii: "\n") } >= count
    }
}
