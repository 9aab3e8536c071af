import Testing
import VMDirtyTracking

@testable import VMM

@Suite struct ScaleTests {
    @Test func `numbers become lengths, and those beyond the limit its whole`() {
        let scale = LinearScale(limit: 50, line: 100...200)
        #expect(scale(0) == 100 && scale(25) == 150 && scale(1000) == 200 && scale(-3) == 100)
    }

    @Test(arguments: [4096, 5000, 999_999, 0x1p20, 1023 * 0x1p20, 3.7e9, 0x1p50])
    func `the limit of a scale of bytes is round and near`(_ bytes: Double) {
        let scale = LinearScale(bytesUpTo: bytes, line: 0...1)
        #expect(scale.limit >= bytes && scale.limit <= bytes * 1.6)
        #expect(ByteText.rounded(scale.limit).split(separator: " ")[0].filter { $0 != "0" && $0 != "." }.count <= 2)
    }

    @Test func `a scale of nothing has a limit all the same`() {
        #expect(LinearScale(limit: 0, line: 0...1).limit == 1 && LinearScale(limit: .nan, line: 0...1).limit == 1)
        #expect(LinearScale(bytesUpTo: 0, line: 0...1).limit == 4096)
    }

    @Test func `a hotter level is darker on light ground and brighter on dark ground`() {
        let light = HeatmapColours.pairs.map(\.light.luminance)
        let dark = HeatmapColours.pairs.map(\.dark.luminance)
        #expect(light.count == HeatLevel.count)
        #expect(zip(light, light.dropFirst()).allSatisfy(>))
        #expect(zip(dark, dark.dropFirst()).allSatisfy(<))
    }

    @Test func `the coolest level stands out from nothing, and words from paper`() {
        func contrast(_ one: Colour, _ other: Colour) -> Double {
            let (one, other) = (one.luminance + 0.05, other.luminance + 0.05)
            return max(one, other) / min(one, other)
        }
        let (ground, coolest) = (HeatmapColours.pairs[0], HeatmapColours.pairs[1])
        #expect(contrast(ground.light, coolest.light) > 1.25 && contrast(ground.dark, coolest.dark) > 1.25)
        for words in [PictureStyle.ink, PictureStyle.faint] {
            #expect(contrast(words.light, PictureStyle.paper.light) > 4.5)
            #expect(contrast(words.dark, PictureStyle.paper.dark) > 4.5)
        }
    }

    @Test func `colours have names in style sheets and numbers in palettes`() {
        #expect(Colour(0x00abff).css == "#00abff")
        #expect(Colour(0xff0000).terminalIndex == 196 && Colour(0).terminalIndex == 16)
        #expect(Colour(0x121212).terminalIndex == 233 && Colour(0xffffff).terminalIndex == 231)
        #expect(ColourScale.inferno(0) == Colour(0x000004) && ColourScale.inferno(1) == Colour(0xfcffa4))
        #expect(ColourScale.inferno(0.5) == Colour(0xbc3754) && ColourScale.inferno(7) == Colour(0xfcffa4))
    }
}
