import BuiltInGuests
import Glibc
import Synchronization
import TestSupport
import Testing
import VMBoot
import VMDevices
import VMMachine

/// Keeps what a guest prints.
final class GuestOutput: ConsoleOutput {
    private let bytes = Mutex<[UInt8]>([])

    func write(_ bytes: UnsafeRawBufferPointer) {
        self.bytes.withLock { $0 += bytes }
    }

    var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    /// The numbers of the passes that the guest found to be right.
    var passes: [Int] {
        text.split(separator: "\n").compactMap { line in
            line.hasPrefix("pass ") && line.hasSuffix(" ok") ? Int(line.split(separator: " ")[1]) : nil
        }
    }
}

/// The guest that finds out by itself whether any of its memory is lost, stale or in the wrong place.
enum DirtyGuest {
    static func machine(
        _ output: GuestOutput, memory: String = "24M", _ arguments: [String] = ["--set", "4M", "--rate", "40M"],
        _ change: (inout MachineConfiguration) -> Void = { _ in }
    ) throws -> Machine {
        var configuration = MachineConfiguration(guest: "dirty", arguments: arguments)
        configuration.memory = try #require(ByteSize(memory))
        configuration.timeout = TimeLimit("120s")
        change(&configuration)
        let builtIn = try #require(BuiltInGuest(named: "dirty"))
        return try Machine(configuration, image: GuestImage(name: "dirty", bytes: builtIn.bytes), console: output)
    }

    /// Lets a machine run for a while, and then has its guest check all of its memory and end.
    static func finish(_ machine: Machine, _ output: GuestOutput, afterMicroseconds time: UInt32 = 100_000) throws {
        try machine.start()
        try finishRunning(machine, output, afterMicroseconds: time)
    }

    /// The same for one that runs.
    static func finishRunning(
        _ machine: Machine, _ output: GuestOutput, afterMicroseconds time: UInt32 = 100_000
    ) throws {
        usleep(time)
        let endOfTransmission: UInt8 = 4
        _ = withUnsafeBytes(of: endOfTransmission) { machine.sendInput($0) }
        let outcome = machine.wait().outcome
        guard case .poweredOff = outcome else {
            Issue.record("\(outcome); it printed: \(output.text.suffix(300))")
            return
        }
        #expect(!output.text.contains("CORRUPT"))
        #expect(output.text.hasSuffix(" ok\n"), "\(output.text.suffix(100))")
    }
}
