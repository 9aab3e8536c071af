import FoundationEssentials
import TestSupport

/// What `vmm run --report FILE` writes.
struct RunReport: Decodable {
    struct Memory: Decodable {
        let guestBytes: UInt64
        let residentBytes: UInt64?
    }

    struct Time: Decodable {
        let setupSeconds: Double
        let runSeconds: Double
    }

    struct Crash: Decodable {
        let vcpu: Int
        let summary: String
        let report: String
    }

    struct Unclaimed: Decodable, Hashable {
        let address: String
        let reads: UInt64
        let writes: UInt64
    }

    let guest: String
    let format: String
    let cpus: Int
    let outcome: String
    let debugExitValue: UInt32?
    let exitStatus: Int32
    let crash: Crash?
    let exits: [String: UInt64]
    let time: Time
    let memory: Memory
    let postCode: UInt8
    let unclaimedPorts: [Unclaimed]
    let unclaimedPages: [Unclaimed]

    init(_ json: [UInt8]) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(json))
    }
}

/// Runs a guest with `--report`, and reads that.
func runReporting(
    _ arguments: [String], input: ChildProcess.Input = .nothing
) throws -> (run: FinishedRun, report: RunReport) {
    let folder = try TemporaryFolder()
    let run = try VMMProgram.run(["run", "--report", folder.path("report.json")] + arguments, input: input)
    return (run, try RunReport(folder.contents("report.json")))
}
