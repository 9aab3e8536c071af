import Testing

@testable import VMM

@Suite struct LabelRowTests {
    @Test func `a label that would be over another is left out`() {
        var row = LabelRow(in: 0...100, .terminal, gap: 2)
        let placed = [("hello", 50), ("x", 52), ("x", 54), ("x", 56)].map { row.place($0, at: $1) }
        #expect(placed == [true, false, false, true])
        #expect(row.labels.map(\.text) == ["hello", "x"])
    }

    @Test func `labels at the ends are moved inside, and those too wide are left out`() {
        var row = LabelRow(in: 10...20, .terminal, gap: 1)
        let placed = [("abc", 10), ("def", 20), ("much too wide", 15)].map { row.place($0, at: $1) }
        #expect(placed == [true, true, false])
        #expect(row.labels.map(\.extent) == [10...13, 17...20])
        #expect(row.labels.map(\.anchor) == [10, 20])
    }

    @Test func `a label can begin or end at its anchor`() {
        var row = LabelRow(in: 0...100, .terminal, gap: 1)
        row.place("abc", at: 50, .end)
        row.place("def", at: 51, .start)
        #expect(row.labels.map(\.extent) == [47...50, 51...54])
    }

    @Test func `text is shortened to the room there is, or left out`() {
        #expect(TextMetrics.terminal.fitting("memory", 6) == "memory")
        #expect(TextMetrics.terminal.fitting("memory", 5) == "memo…")
        #expect(TextMetrics.terminal.fitting("memory", 3) == "me…")
        #expect(TextMetrics.terminal.fitting("memory", 2) == nil)
        #expect(TextMetrics.terminal.width(of: "漢字a") == 5)
    }
}
