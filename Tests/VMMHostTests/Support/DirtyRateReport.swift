import FoundationEssentials
import TestSupport

/// What `vmm dirty-rate --json` prints for an interval.
struct DirtyRateReport: Decodable {
    struct Rate: Decodable {
        let dirtyPages: Double
        let pagesPerSecond: Double
        let bytesPerSecond: Double
        let standardErrorBytesPerSecond: Double?
    }

    struct Region: Decodable {
        struct Range: Decodable, Hashable {
            let start: String
            let last: String
        }

        let name: String
        let ranges: [Range]
        let rate: Rate
    }

    struct VCPU: Decodable {
        let index: Int
        let rate: Rate
    }

    struct Cost: Decodable {
        let durationSeconds: Double
        let vcpuUserSeconds: Double?
        let vcpuSystemSeconds: Double?
        let vcpuWaitingSeconds: Double?
        let exits: UInt64?
        let pageFaults: UInt64?
        let fullRings: UInt64?
        let fullRingSeconds: Double?
        let pausedSeconds: Double
    }

    let startSeconds: Double
    let endSeconds: Double
    let all: Rate
    let regions: [Region]
    let vcpus: [VCPU]?
    let workingSetPages: UInt64?
    let measuringSeconds: Double
    let measuringKernelSeconds: Double?
    let cost: Cost
}

/// And at the end.
struct DirtyRateSummary: Decodable {
    struct Summary: Decodable {
        let mode: String
        let intervals: UInt64
        let durationSeconds: Double
        let mean: DirtyRateReport.Rate?
        let regions: [DirtyRateReport.Region]
        let vcpus: [DirtyRateReport.VCPU]?
        let peakPagesPerSecond: Double
        let peakBytesPerSecond: Double
        let workingSetPages: UInt64?
        let workingSetBytes: UInt64?
        let measuringSeconds: Double
        let measuringKernelSeconds: Double?
        let baselineCost: DirtyRateReport.Cost?
        let cost: DirtyRateReport.Cost?
    }

    let summary: Summary
}

/// All that a run printed.
struct DirtyRateOutput {
    let run: FinishedRun
    let intervals: [DirtyRateReport]
    let summary: DirtyRateSummary.Summary

    /// Runs `vmm dirty-rate --json` with these arguments.
    init(_ arguments: [String]) throws {
        run = try VMMProgram.run(["dirty-rate", "--json"] + arguments)
        let lines = run.text.split(separator: "\n").map { Data($0.utf8) }
        guard let last = lines.last else { throw ChildFailure(run: run) }
        intervals = try lines.dropLast().map { try JSONDecoder().decode(DirtyRateReport.self, from: $0) }
        summary = try JSONDecoder().decode(DirtyRateSummary.self, from: last).summary
    }

    struct ChildFailure: Error {
        let run: FinishedRun
    }
}
