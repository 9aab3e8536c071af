import Testing
import VMDirtyTracking

@Suite struct HeatLevelTests {
    @Test func `nothing and everything have levels of their own`() {
        #expect(HeatLevel(pages: 0, of: 16) == .none)
        #expect(HeatLevel(pages: 0, of: 0) == .none)
        #expect(HeatLevel(pages: 1, of: 1) == .all)
        #expect(HeatLevel(pages: 16, of: 16) == .all)
        for capacity: UInt64 in [2, 16, 1 << 16, 1 << 52] {
            #expect(HeatLevel(pages: 1, of: capacity) > .none)
            #expect(HeatLevel(pages: capacity - 1, of: capacity) < .all)
        }
    }

    @Test func `pages counted twice are no more than everything`() {
        #expect(HeatLevel(pages: 17, of: 16) == .all)
    }

    @Test func `more pages are never a cooler level, and no level is left out`() {
        let levels = (0...4096).map { HeatLevel(pages: $0, of: 4096) }
        #expect(zip(levels, levels.dropFirst()).allSatisfy(<=))
        #expect(Set(levels.map(\.index)) == Set(0..<HeatLevel.count))
    }

    @Test func `a page in 64 Ki, 1 %, 10 % and a half can be told apart`() {
        let levels = [1, 655, 6554, 32768].map { HeatLevel(pages: $0, of: 65536).index }
        #expect(zip(levels, levels.dropFirst()).allSatisfy { $1 - $0 >= 3 })
    }

    @Test(arguments: [-1, 0, .nan, 1, 2, .infinity] as [Double])
    func `a share that is none is still a level`(_ share: Double) {
        #expect((1..<(HeatLevel.count - 1)).contains(HeatLevel(share: share).index))
    }
}
