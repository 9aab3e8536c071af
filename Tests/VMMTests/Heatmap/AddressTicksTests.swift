import Testing
import VMAddressSpace
import VMDirtyTracking

@testable import VMM

@Suite struct AddressTicksTests {
    private func columns(_ memory: [Range<UInt64>]) -> HeatmapColumns {
        let axis = HeatmapAxis(memory.map(pages), columnLimit: 1024)
        return HeatmapColumns(axis, from: 74, width: 1024, gapWidth: 9)
    }

    private func names(_ memory: [Range<UInt64>]) -> [String] {
        AddressTicks(columns(memory), HeatmapLayout.metrics, gap: 14).labels.map(\.text)
    }

    @Test(arguments: Memories.all, [(1024, 14, true), (12, 2, false), (52, 2, false), (172, 2, false)])
    func `no two addresses overlap, and none leaves the axis`(
        _ memory: [Range<UInt64>], _ axis: (width: Double, gap: Double, isPicture: Bool)
    ) {
        let map = HeatmapAxis(memory.map(pages), columnLimit: 1024)
        let columns = HeatmapColumns(map, from: 0, width: axis.width, gapWidth: axis.isPicture ? 9 : 0)
        let metrics = axis.isPicture ? HeatmapLayout.metrics : TextMetrics.terminal
        let labels = AddressTicks(columns, metrics, gap: axis.gap).labels
        #expect(!labels.isEmpty)
        for (label, next) in zip(labels, labels.dropFirst()) {
            #expect(label.extent.upperBound + axis.gap <= next.extent.lowerBound)
            #expect(label.anchor <= next.anchor)
        }
        for label in labels {
            #expect(columns.line.contains(label.extent.lowerBound) && columns.line.contains(label.extent.upperBound))
            #expect(abs(label.extent.upperBound - label.extent.lowerBound - metrics.width(of: label.text)) < 0.01)
        }
    }

    @Test func `addresses are round, and the ends of memory have theirs`() {
        #expect(names(Memories.small) == (0...8).map { $0 == 0 ? "0" : "\($0 * 8) MiB" })
        #expect(names(Memories.plain).first == "0" && names(Memories.plain).last == "3 GiB")
        #expect(names(Memories.plain).contains("1.5 GiB"))
        #expect(names(Memories.huge) == (0...8).map { [0: "0", 8: "1 TiB"][$0] ?? "\($0 * 128) GiB" })
        #expect(names(Memories.tiny) == (0...8).map { $0 == 0 ? "0" : "\($0 * 8) KiB" })
    }

    @Test func `a hole has the addresses at which memory ends and goes on, where there is room`() {
        let names = names([0..<0xc0000, 0x100000..<0x140000])
        #expect(names.contains("3 GiB") && names.contains("4 GiB") && names.last == "5 GiB")
    }

    @Test func `that memory begins at an odd address leaves its others round`() {
        let axis = HeatmapAxis([pages(0..<160), pages(256..<0xc0000), pages(0x100000..<0x140000)], columnLimit: 1024)
        let columns = HeatmapColumns(axis, from: 0, width: 72, gapWidth: 0)
        let labels = AddressTicks(columns, .terminal, gap: 2).labels
        #expect(labels.map(\.text) == ["0", "1 GiB", "2 GiB", "3 GiB", "4 GiB", "5 GiB"])
    }

    @Test func `far up, addresses count from where memory goes on`() {
        #expect(names(Memories.sparse).suffix(5) == ["1 TiB", "+16 MiB", "+32 MiB", "+48 MiB", "+64 MiB"])
    }

    @Test func `an address is where its column is`() throws {
        let columns = columns(Memories.large)
        for label in AddressTicks(columns, HeatmapLayout.metrics, gap: 14).labels where label.text.hasSuffix("GiB") {
            let number = try #require(label.text.split(separator: " ").first.flatMap { UInt64($0) })
            guard let position = columns.axis.position(of: GuestAddress(number << 30)) else { continue }
            #expect(abs(columns.x(at: position) - label.anchor) <= 15)
        }
    }

    @Test func `the last address of all is an end like others`() {
        #expect(names([((1 << 52) - 4096)..<(1 << 52)]).last == "16 EiB")
    }

    @Test func `no memory has no addresses`() {
        #expect(names([]).isEmpty)
    }
}
