import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("The regions of a map, which maps share")
struct RegionListTests {
    private func records(_ count: Int) throws -> [RegionRecord] {
        try (0..<count).map { RegionRecord(try TestRegions.bare(try TestRegions.range(UInt64($0) << 12, 0x1000))) }
    }

    private func isSame(_ list: RegionList, as records: [RegionRecord]) -> Bool {
        list.count == records.count
            && list.all.elementsEqual(records) { ObjectIdentifier($0) == ObjectIdentifier($1.region) }
    }

    @Test("It has the regions it is made of, in their order", arguments: [0, 1, 7, 8, 9, 63, 64, 65, 512, 700])
    func made(count: Int) throws {
        let records = try records(count)
        #expect(isSame(RegionList(records), as: records))
    }

    @Test("It grows at either end and in the middle as an array does", arguments: [0.0, 0.5, 1.0])
    func growth(place: Double) throws {
        var (list, expected): (RegionList, [RegionRecord]) = (RegionList([]), [])
        for (count, record) in try records(600).enumerated() {
            let index = Int(place * Double(count))
            list.insert(record, at: index)
            expected.insert(record, at: index)
            #expect(isSame(list, as: expected), "\(count + 1) regions")
        }
        while !expected.isEmpty {
            let index = Int(place * Double(expected.count - 1))
            list.remove(at: index)
            expected.remove(at: index)
            #expect(isSame(list, as: expected), "\(expected.count) regions left")
        }
    }

    @Test("Changes of one list leave those it shares regions with as they were", arguments: UInt64(0)..<4)
    func sharing(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let all = try records(700)
        var (list, expected) = (RegionList(Array(all[..<300])), Array(all[..<300]))
        var earlier: [(list: RegionList, expected: [RegionRecord])] = []
        for step in 0..<400 {
            if step % 40 == 0 { earlier.append((list, expected)) }
            let index = Int.random(in: 0..<expected.count, using: &random)
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                list.remove(at: index)
                expected.remove(at: index)
            case 1:
                list.replace(at: index, with: all[300 + step])
                expected[index] = all[300 + step]
            default:
                list.insert(all[300 + step], at: index)
                expected.insert(all[300 + step], at: index)
            }
        }
        earlier.append((list, expected))
        for (list, expected) in earlier { #expect(isSame(list, as: expected)) }
    }
}
