import ArgumentParser
import Glibc
import SystemPackage
import VMMachine

/// The flags that say which snapshots to take of a running guest.
struct SnapshotOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("How long the guest runs before the first snapshot (default 1s).", valueName: "time"),
        transform: { try $0.parsed("a time, such as 1s or 500ms", TimeLimit.init) })
    var after: TimeLimit?

    @Option(
        name: .long, help: ArgumentHelp("How long between one snapshot and the next (default 1s).", valueName: "time"),
        transform: { try $0.parsed("a time, such as 1s or 500ms", TimeLimit.init) })
    var every: TimeLimit?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How many to take (default 1): the second and later ones are differential, in FILE.1, FILE.2, …",
            valueName: "number"))
    var count: Int?

    @Flag(name: .long, help: "Replace files that are there.")
    var overwrite = false

    @Flag(name: .long, help: "Run on after the last snapshot, until the guest ends.")
    var keepRunning = false

    /// - Parameter output: the name of the first.
    /// - Throws: also where a snapshot could not be written later: nobody is to wait for that.
    func schedule(_ output: String) throws(Failure) -> SnapshotSchedule {
        let count = count ?? 1
        guard 1...SnapshotSchedule.countLimit ~= count else {
            throw Failure(.usage, "--count: \(count) is not from 1 to \(SnapshotSchedule.countLimit)")
        }
        let schedule = SnapshotSchedule(
            output: output, first: (after ?? TimeLimit(.seconds(1))).duration,
            interval: (every ?? TimeLimit(.seconds(1))).duration, count: count, replacing: overwrite,
            runsOn: keepRunning)
        try schedule.check()
        return schedule
    }
}

/// When to take snapshots, and where they go.
struct SnapshotSchedule {
    let output: String
    let first: Duration
    let interval: Duration
    let count: Int
    let replacing: Bool
    let runsOn: Bool

    /// Whether the files can be written, as far as that can be known.
    func check() throws(Failure) {
        let folder = path(0).removingLastComponent()
        let place = folder.isEmpty ? "." : folder.string
        guard access(place, W_OK | X_OK) == 0 else {
            throw Failure(.cannotCreate, "--output: cannot write into the folder \(place): \(Errno(rawValue: errno))")
        }
        guard !replacing else { return }
        for number in 0..<count where access(path(number).string, F_OK) == 0 {
            throw Failure(.cannotCreate, "--output: there is a file \(path(number)); --overwrite replaces it")
        }
    }

    /// As many as a chain may have, or less.
    static let countLimit = 64

    /// Of the snapshot with this number, from 0.
    func path(_ number: Int) -> FilePath {
        FilePath(number == 0 ? output : "\(output).\(number)")
    }
}
