import Testing
import VMMigration

@testable import VMM

@Suite struct RoundTableTests {
    @Test func `lines are no wider than 80 characters, and numbers stand under their names`() throws {
        var rounds = try MigrationRecording.sample(rounds: 30, throttled: true).progress.rounds
        var large = MigrationRound()
        large.number = 9999
        large.dirtyPages = 99_999_999
        large.pendingPages = 99_999_999
        large.sent = PageCounts(data: 99_999_999, zero: 0, bytes: 1023 << 30)
        large.duration = .seconds(7199)
        large.expectedDowntime = .seconds(7199)
        large.throttlePercent = 99
        rounds.append(large)
        let lines = RoundTable.header + rounds.map(RoundTable.line)
        #expect(lines.allSatisfy { $0.count <= 80 })
        let name = try #require(lines[0].firstRange(of: "pages"))
        let end = lines[0].distance(from: lines[0].startIndex, to: name.upperBound)
        for line in lines.dropFirst(2) { #expect(line.prefix(end).last?.isNumber == true, "\(line)") }
    }

    @Test func `a round's line has its numbers`() throws {
        let line = RoundTable.line(try MigrationRecording.sample(rounds: 9, throttled: true).progress.rounds[4])
        let cells = line.split(separator: " ").joined(separator: " ")
        #expect(cells == "4 1\u{202f}024 2.02 MiB 300 ms 6.72 MiB/s 10.7 MiB/s 180 ms 20 %")
    }

    @Test func `the progress of a round fits any terminal but the narrowest`() {
        var progress = MigrationProgress()
        progress.status = .active
        progress.total = 64 << 20
        progress.remaining = 16 << 20
        let line = RoundTable.progressLine(progress, width: 80)
        #expect(line.contains("75 %, 16 MiB of 64 MiB left") && line.count < 80)
        #expect(line.count { $0 == "#" } == 22 && line.count { $0 == "." } == 8)
        #expect(RoundTable.progressLine(progress, width: 50).count < 50)
        progress.status = .device
        #expect(RoundTable.progressLine(progress, width: 80).contains("device"))
        progress.status = .active
        progress.total = 0
        progress.remaining = 0
        #expect(RoundTable.progressLine(progress, width: 80).contains("100 %"))
    }
}
