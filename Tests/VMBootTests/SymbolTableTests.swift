import Testing
import VMBoot

@Suite struct SymbolTableTests {
    private func table(_ builder: ELFBuilder) -> SymbolTable? {
        SymbolTable(GuestImage(name: "guest", bytes: builder.bytes()))
    }

    private func table(_ symbols: [ELFBuilder.Symbol], is64: Bool = true) -> SymbolTable? {
        var builder = ELFBuilder(is64: is64)
        builder.symbols = symbols
        return table(builder)
    }

    private func text(_ table: SymbolTable?, _ address: UInt64) -> String? {
        table?.symbol(at: address).map { "\($0.name)+\($0.offset)" }
    }

    @Test(arguments: [true, false])
    func `an address is named by the symbol that covers it`(is64: Bool) {
        let table = table(
            [
                .init(name: "second", address: 0x10_0040, size: 0x10),
                .init(name: "first", address: 0x10_0000, size: 0x20),
            ], is64: is64)
        #expect(text(table, 0x10_0000) == "first+0")
        #expect(text(table, 0x10_001f) == "first+31")
        #expect(text(table, 0x10_0020) == nil)
        #expect(text(table, 0x10_0048) == "second+8")
        #expect(text(table, 0x10_0050) == nil)
        #expect(text(table, 0xf_ffff) == nil)
        #expect(text(table, .max) == nil)
    }

    @Test func `a label without a size goes on to the next symbol or the section's end`() {
        let table = table([
            .init(name: "start", address: 0x10_0000, type: 0), .init(name: "loop", address: 0x10_0008, type: 0),
        ])
        #expect(text(table, 0x10_0007) == "start+7")
        #expect(text(table, 0x10_0009) == "loop+1")
        #expect(text(table, 0x10_0fff) == "loop+4087")
        #expect(text(table, 0x10_1000) == nil)
    }

    @Test func `behind a function with a size the label before it does not go on`() {
        let table = table([
            .init(name: "label", address: 0x10_0000, type: 0), .init(name: "function", address: 0x10_0010, size: 0x10),
        ])
        #expect(text(table, 0x10_000f) == "label+15")
        #expect(text(table, 0x10_0028) == nil)
    }

    @Test func `inside a larger symbol the smaller one names its own part only`() {
        let table = table([
            .init(name: "outer", address: 0x10_0000, size: 0x100), .init(name: "inner", address: 0x10_0010, size: 0x10),
        ])
        #expect(text(table, 0x10_0018) == "inner+8")
        #expect(text(table, 0x10_0030) == "outer+48")
    }

    @Test func `of several at one address a global function with a size has the name`() {
        let table = table([
            .init(name: "label", address: 0x10_0000, type: 0), .init(name: "function", address: 0x10_0000, size: 16),
            .init(name: "local", address: 0x10_0000, size: 16, binding: 0),
        ])
        #expect(text(table, 0x10_0004) == "function+4")
    }

    @Test func `only names of code count`() {
        let table = table([
            .init(name: "object", address: 0x10_0000, size: 8, type: 1),
            .init(name: "undefined", address: 0x10_0000, section: 0),
            .init(name: "absolute", address: 0x10_0000, section: 0xfff1),
            .init(name: "data", address: 0x10_0000, section: 2),
            .init(name: "outside", address: 0x20_0000), .init(name: "", address: 0x10_0000),
            .init(name: "lost", address: 0x10_0000, nameOffset: 0x10000), .init(name: "code", address: 0x10_0800),
        ])
        #expect(text(table, 0x10_0004) == nil)
        #expect(text(table, 0x20_0000) == nil)
        #expect(text(table, 0x10_0804) == "code+4")
    }

    @Test func `a size past all addresses ends there`() {
        #expect(text(table([.init(name: "huge", address: 0x10_0000, size: .max)]), .max - 1) != nil)
    }

    @Test func `the dynamic symbols do where there are no others`() {
        var builder = ELFBuilder()
        builder.symbols = [.init(name: "start", address: 0x10_0000)]
        builder.symbolTableType = 11
        #expect(text(table(builder), 0x10_0001) == "start+1")
    }

    @Test func `a physical address is named by the linked one`() {
        var builder = ELFBuilder()
        builder.segments[0].virtual = 0xffff_ffff_8010_0000
        builder.code.address = 0xffff_ffff_8010_0000
        builder.symbols = [.init(name: "start", address: 0xffff_ffff_8010_0000)]
        #expect(text(table(builder), 0xffff_ffff_8010_0004) == "start+4")
        #expect(text(table(builder), 0x10_0004) == "start+4")
        #expect(text(table(builder), 0x10_0020) == nil)
    }

    @Test func `a Multiboot ELF has its symbols too`() {
        var builder = ELFBuilder(is64: false)
        builder.segments[0].bytes = MultibootBuilder().header()
        builder.symbols = [.init(name: "start", address: 0x10_0000)]
        #expect(text(table(builder), 0x10_0001) == "start+1")
    }

    @Test func `a name is printable and bounded`() {
        let table = table([
            .init(name: "\u{1b}[31m", address: 0x10_0000, size: 1),
            .init(name: String(repeating: "x", count: 5000), address: 0x10_0010, size: 1),
        ])
        #expect(table?.symbol(at: 0x10_0000)?.name == "\\u{1b}[31m")
        #expect(table?.symbol(at: 0x10_0010)?.name.count == 1024)
    }

    @Test func `an image without symbols has no table`() {
        #expect(table([]) == nil)
        #expect(table([.init(name: "object", address: 0x10_0000, type: 1)]) == nil)
        for bytes in [[], [0xf4], MultibootBuilder.kernel()] {
            #expect(SymbolTable(GuestImage(name: "guest", bytes: bytes)) == nil)
        }
    }
}
