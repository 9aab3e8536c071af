import TestSupport
import Testing
import VMAddressSpace
import VMDirtyBitmap

@testable import VMMemory

@Suite("A memory map against a list of pages")
struct RegionMapModelTests {
    /// 96 pages: the first 48 of the address space, and its last 48. Which region each belongs to, by the region's number.
    private struct Model {
        static let half = 48
        static let pageCount = 2 * half

        var owners = [Int?](repeating: nil, count: pageCount)
        var regions: [Int: any GuestMemoryRegion] = [:]

        static func address(ofPage page: Int) -> UInt64 {
            // The pages above the gap count down from 2^64.
            page < half ? UInt64(page) << 12 : 0 &- (UInt64(pageCount - page) << 12)
        }

        static func page(_ address: UInt64) -> Int? {
            let fromEnd = (0 &- (address & ~0xfff)) >> 12
            if address >> 12 < half { return Int(address >> 12) }
            return fromEnd <= half ? pageCount - Int(fromEnd) : nil
        }

        func owner(_ address: UInt64) -> Int? { Self.page(address).flatMap { owners[$0] } }

        /// The regions in ascending order.
        var ordered: [any GuestMemoryRegion] {
            var numbers: [Int] = []
            for case .some(let number) in owners where numbers.last != number { numbers.append(number) }
            return numbers.compactMap { regions[$0] }
        }

        static func range(_ pages: Range<Int>) throws -> MemoryRange {
            try TestRegions.range(address(ofPage: pages.lowerBound), UInt64(pages.count) << 12)
        }

        /// Pages that follow one another.
        static func randomPages(_ numbers: inout SeededGenerator) -> Range<Int> {
            let first = Int.random(in: 0..<pageCount, using: &numbers)
            let end = first < half ? half : pageCount
            return first..<min(end, first + Int.random(in: 1...8, using: &numbers))
        }

        static func randomAddress(_ numbers: inout SeededGenerator) -> UInt64 {
            switch Int.random(in: 0..<12, using: &numbers) {
            case 0: return .random(in: 0...(.max), using: &numbers)
            case 1:
                return [0, .max, UInt64(half) << 12, 0 &- (UInt64(half) << 12) - 1][
                    Int.random(in: 0..<4, using: &numbers)]
            default:
                let page = address(ofPage: .random(in: 0..<pageCount, using: &numbers))
                return page
                    + [0, 0xfff, .random(in: 0..<0x1000, using: &numbers)][Int.random(in: 0..<3, using: &numbers)]
            }
        }

        /// The first address from `first` to `last` without a region, found page by page.
        func firstGap(_ first: UInt64, _ last: UInt64) -> UInt64? {
            var address = first
            while true {
                guard owner(address) != nil else { return address }
                let lastOfPage = address | 0xfff
                guard lastOfPage < last else { return nil }
                address = lastOfPage + 1
            }
        }
    }

    /// A map under test, and what it should be.
    private struct Trial {
        var model = Model()
        var map: RegionMap
        var numbers: SeededGenerator
        private var madeCount = 1

        init(_ seed: UInt64) throws {
            numbers = SeededGenerator(seed: seed)
            let pages = Model.randomPages(&numbers)
            let region = try Self.makeRegion(pages, 0)
            map = try RegionMap([region])
            for page in pages { model.owners[page] = 0 }
            model.regions[0] = region
        }

        /// One that can be told from others by all members of its entry.
        static func makeRegion(_ pages: Range<Int>, _ number: Int) throws -> any GuestMemoryRegion {
            let range = try Model.range(pages)
            let backing = BackingWithoutMemory(at: number % 5 == 0 ? 0 : UInt(number) << 24)
            let offset = UInt64(number % 7) << 12
            let isReadOnly = number.isMultiple(of: 3)
            guard number.isMultiple(of: 2) else {
                return try MemoryRegion(range, backing, offset: offset, isReadOnly: isReadOnly, bitmap: NoBitmap())
            }
            return try MemoryRegion(
                range, backing, offset: offset, isReadOnly: isReadOnly, bitmap: AtomicBitmap(byteCount: range.count))
        }

        private mutating func makeRegion(_ pages: Range<Int>) throws -> any GuestMemoryRegion {
            madeCount += 1
            return try Self.makeRegion(pages, madeCount)
        }

        /// - Returns: whether the map changed as the model says it should, or both refused.
        mutating func change() throws -> Bool {
            switch Int.random(in: 0..<7, using: &numbers) {
            case 0...2: return try insert(Model.randomPages(&numbers))
            case 3: return try remove(somePages())
            case 4, 5: return try changeSeveral()
            default: return try replace(somePages())
            }
        }

        /// Mostly a region's pages.
        private mutating func somePages() -> Range<Int> {
            let pages = Model.randomPages(&numbers)
            guard Int.random(in: 0..<4, using: &numbers) > 0, let owner = model.owners[pages.lowerBound] else {
                return pages
            }
            let all = model.owners.indices.filter { model.owners[$0] == owner }
            return all[0]..<(all[all.count - 1] + 1)
        }

        /// The number of the region that has exactly these pages.
        private func region(of pages: Range<Int>) -> Int? {
            guard let owner = model.owners[pages.lowerBound] else { return nil }
            return model.owners.indices.filter { model.owners[$0] == owner } == Array(pages) ? owner : nil
        }

        private mutating func insert(_ pages: Range<Int>) throws -> Bool {
            let overlapped = model.owners[pages].compactMap(\.self).first
            let region = try makeRegion(pages)
            do throws(RegionMapError) {
                map = try map.inserting(region)
                guard overlapped == nil else { return false }
            } catch {
                let other = overlapped.flatMap { model.regions[$0] }?.range
                return other.map { error == .overlap(region.range, $0) } ?? false
            }
            for page in pages { model.owners[page] = madeCount }
            model.regions[madeCount] = region
            return true
        }

        private mutating func remove(_ pages: Range<Int>) throws -> Bool {
            let range = try Model.range(pages)
            let number = region(of: pages)
            do throws(RegionMapError) {
                let (map, removed) = try map.removing(range)
                guard let number, removed === model.regions[number] else { return false }
                self.map = map
                for page in pages { model.owners[page] = nil }
                model.regions[number] = nil
                return true
            } catch {
                return number == nil && error == .noSuchRegion(range)
            }
        }

        /// Removes and inserts some at once, a region's pages among them mostly.
        private mutating func changeSeveral() throws -> Bool {
            let removed = disjoint((0..<Int.random(in: 0...6, using: &numbers)).map { _ in somePages() })
            let inserted = disjoint(
                (0..<Int.random(in: 0...6, using: &numbers)).map { _ in Model.randomPages(&numbers) })
            let ranges = try removed.map(Model.range)
            var regions: [any GuestMemoryRegion] = []
            for pages in inserted { regions.append(try makeRegion(pages)) }
            let numbersOfInserted = (madeCount + 1 - regions.count)..<(madeCount + 1)
            let expected: RegionMapError?
            var changed = model
            if let missing = removed.first(where: { region(of: $0) == nil }) {
                expected = .noSuchRegion(try Model.range(missing))
            } else {
                for number in removed.compactMap(region(of:)) { changed.regions[number] = nil }
                for page in removed.joined() { changed.owners[page] = nil }
                let overlaps = zip(inserted, regions).compactMap { (pages, region) -> RegionMapError? in
                    let other = changed.owners[pages].compactMap(\.self).first.flatMap { changed.regions[$0] }
                    return other.map { .overlap(region.range, $0.range) }
                }
                expected = overlaps.first
            }
            do throws(RegionMapError) {
                map = try map.changing(removing: ranges, inserting: regions)
            } catch {
                return error == expected
            }
            for (number, (pages, region)) in zip(numbersOfInserted, zip(inserted, regions)) {
                for page in pages { changed.owners[page] = number }
                changed.regions[number] = region
            }
            model = changed
            return expected == nil
        }

        /// Those in ascending order that do not overlap one before.
        private func disjoint(_ pages: [Range<Int>]) -> [Range<Int>] {
            pages.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { kept, next in
                if kept.last.map({ $0.upperBound <= next.lowerBound }) ?? true { kept.append(next) }
            }
        }

        private mutating func replace(_ pages: Range<Int>) throws -> Bool {
            let number = region(of: pages)
            let region = try makeRegion(pages)
            do throws(RegionMapError) {
                map = try map.replacing(with: region)
            } catch {
                return number == nil && error == .noSuchRegion(region.range)
            }
            guard let number else { return false }
            model.regions[number] = region
            return true
        }
    }

    @Test(
        "Whatever is inserted, removed and replaced, lookups agree",
        arguments: Array(0..<24) + [UInt64.random(in: 24...(.max))])
    func lookups(_ seed: UInt64) throws {
        var trial = try Trial(seed)
        for step in 0..<100 {
            let comment: Comment = "seed \(seed), step \(step)"
            guard try trial.change() else {
                Issue.record(comment)
                return
            }
            let ordered = trial.model.ordered
            #expect(trial.map.regions.map(ObjectIdentifier.init) == ordered.map(ObjectIdentifier.init), comment)
            for _ in 0..<30 {
                let address = Model.randomAddress(&trial.numbers)
                #expect(agreeOnAddress(trial, address), comment)
                #expect(try agreeOnRange(trial, address, Model.randomAddress(&trial.numbers)), comment)
            }
        }
    }

    private func agreeOnAddress(_ trial: Trial, _ address: UInt64) -> Bool {
        let expected = trial.model.owner(address).flatMap { trial.model.regions[$0] }
        return trial.map.region(containing: GuestAddress(address)) === expected
            && trial.map.rangeOfRegion(containing: GuestAddress(address)) == expected?.range
    }

    private func agreeOnRange(_ trial: Trial, _ one: UInt64, _ other: UInt64) throws -> Bool {
        let (first, last) = (min(one, other), max(one, other))
        let gap = trial.model.firstGap(first, last)
        let range = try #require(AddressRange(from: GuestAddress(first), through: GuestAddress(last)))
        var next: UInt64? = first
        var arePartsRight = true
        let end = trial.map.forEachPart(of: range) { region, part in
            let isRight =
                part.start.rawValue == next && region.range.contains(part)
                && (part.last == region.range.last || part.last.rawValue == last)
            arePartsRight = arePartsRight && isRight
            next = part.endExclusive?.rawValue
        }
        return trial.map.table.firstGap(first, last) == gap && end?.rawValue == gap && arePartsRight
            && next == (gap ?? (last == .max ? nil : last + 1))
    }

    @Test(
        "A changed map has the same table as one made of its regions",
        arguments: Array(0..<12) + [UInt64.random(in: 12...(.max))])
    func tables(_ seed: UInt64) throws {
        var trial = try Trial(seed)
        for step in 0..<60 {
            let isAsExpected = try trial.change()
            let made = try RegionMap(trial.map.regions)
            #expect(isAsExpected && describe(trial.map.table) == describe(made.table), "seed \(seed), step \(step)")
        }
    }

    private func describe(_ table: RegionTable) -> [String] {
        (0..<table.count).map { index in
            let (found, entry) = (table[index], table.entries[index])
            let region = ObjectIdentifier(found.region)
            return "\(found.range) \(region) \(entry.readable as Any) \(entry.writable as Any)"
        }
    }
}
