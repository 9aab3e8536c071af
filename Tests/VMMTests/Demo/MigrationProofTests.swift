import Testing
import VMMigration

@testable import VMM

/// What the guest says, and what that proves.
@Suite struct MigrationProofTests {
    private func failures(_ change: (inout MigrationRecording) -> Void) throws -> [String] {
        var recording = try MigrationRecording.sample(rounds: 3)
        change(&recording)
        return MigrationProof.all(recording).filter { !$0.holds }.map(\.claim)
    }

    private func checks(_ source: String, _ destination: String) -> GuestChecks {
        var checks = GuestChecks()
        checks.add(source.utf8, at: .source)
        checks.add(destination.utf8, at: .destination)
        return checks
    }

    @Test func `a line may begin on one side and end on the other`() throws {
        let checks = checks("pass 1 ok\npass ", "2 ok\npass 3 ok\ndirty: 3 passes ok\n")
        #expect(checks.atSource == .init(first: 1, last: 1) && checks.atDestination == .init(first: 2, last: 3))
        #expect(checks.fault == nil && checks.total == 3 && checks.passCount == 3)
        #expect(checks.before == ["pass 1 ok"] && checks.after == ["pass 2 ok", "pass 3 ok", "dirty: 3 passes ok"])
        #expect(try failures { $0.checks = checks }.isEmpty)
    }

    @Test func `only the last lines before and the first ones after are kept`() {
        let lines = (1...9).map { "pass \($0) ok\n" }
        let checks = checks(lines[..<5].joined(), lines[5...].joined())
        #expect(checks.before == ["pass 3 ok", "pass 4 ok", "pass 5 ok"])
        #expect(checks.after == ["pass 6 ok", "pass 7 ok", "pass 8 ok"])
    }

    @Test(
        arguments: [
            ("pass 1 ok\n", "pass 3 ok\ndirty: 3 passes ok\n"), ("pass 1 ok\n", "pass 1 ok\ndirty: 1 passes ok\n"),
            ("pass 2 ok\n", "pass 3 ok\ndirty: 3 passes ok\n"),
            ("pass 1 ok\n", "CORRUPT gpa=0x1100000 expected=0xd1 found=0xd0\n"),
            ("pass 1 ok\n", "pass 2 ok\ndirty: 2 passes ok\npass 3 ok\n"),
            ("pass 1 ok\n", "pass 2 ok\ndirty: 2 passes ok\ndirty: 2 passes ok\n"),
            ("pass 1 ok\n", "pass 99999999999999999999 ok\n"), ("dirty: unknown argument\n", ""), ("", ""),
        ]) func `passes that are missing or come twice, and other words, prove nothing`(
            _ source: String, _ destination: String
        ) throws
    {
        let checks = checks(source, destination)
        #expect(try failures { $0.checks = checks }.contains("The guest’s checks go on without a gap"))
    }

    @Test func `the end has to be about all passes`() throws {
        let checks = checks("pass 1 ok\n", "pass 2 ok\ndirty: 1 passes ok\n")
        #expect(try failures { $0.checks = checks }.count == 1)
        let endless = self.checks("pass 1 ok\n", "pass 2 ok\n")
        #expect(try failures { $0.checks = endless }.count == 1)
    }

    @Test func `a line that never ends takes no memory, and is no pass`() {
        var checks = GuestChecks()
        for _ in 0..<10_000 { checks.add(repeatElement(UInt8(ascii: "x"), count: 100), at: .source) }
        checks.add("\n".utf8, at: .source)
        #expect(checks.fault?.count == 256 && checks.passCount == 0)
    }

    @Test func `a comparison that was not made, or failed, proves nothing`() throws {
        let claim = "Both sides have the same memory when the guest changes hands"
        #expect(try failures { $0.progress.downtimeStages.removeAll { $0.name == .compareMemory } } == [claim])
        #expect(try failures { $0.progress.status = .failed } == [claim])
    }

    @Test(arguments: [DestinationProcess.Ending.exited(1), .killed(signal: 9), nil]) func `an end out of order is told`(
        _ ending: DestinationProcess.Ending?
    ) throws {
        #expect(try failures { $0.ending = ending } == ["The guest ends in order"])
    }
}
