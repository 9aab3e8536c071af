import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory
@testable import VMRegions

@Suite("A region manager against a list of pages")
struct ManagerModelTests {
    private static let seeds = Array(0..<3 as Range<UInt64>) + [UInt64.random(in: 3...(.max))]
    /// For each seed.
    private static let changeCount = 5000

    @Test("Whatever is asked for, and whatever fails, everybody sees the pages that they should", arguments: seeds)
    func model(_ seed: UInt64) throws {
        var trial = try ManagerTrial(seed: seed)
        while trial.changeCount < Self.changeCount {
            if let complaint = try trial.step() {
                Issue.record("seed \(seed), after \(trial.changeCount) changes: \(complaint)")
                return
            }
        }
        // A trial in which hardly anything happens tests nothing.
        #expect(trial.madeCount > Self.changeCount / 3, "seed \(seed)")
        #expect(trial.failedCount > Self.changeCount / 50, "seed \(seed)")
        #expect(trial.unfinishedCount > Self.changeCount / 250, "seed \(seed)")
    }
}

/// A manager and what it should be.
private struct ManagerTrial {
    /// Changes that were asked for; of them those that were made, that failed, and that failed to be taken back at once.
    var changeCount = 0
    var madeCount = 0
    var failedCount = 0
    var unfinishedCount = 0
    private let guest: TestGuest
    private var model: PageModel
    private var random: RandomChanges
    /// By the numbers that the model has for them.
    private let backings: [BackingID: RegionBacking]
    private var contents: [BackingID: [UInt64]] = [:]
    private var dirty: [BackingID: Set<UInt64>] = [:]
    private var writeCount: UInt64 = 0

    init(seed: UInt64) throws {
        guest = try TestGuest(addressWidth: 18)
        let all = [
            try guest.backing(.memfd, "file", pages: 80),
            try guest.backing(.memfd, "small file", pages: 20),
            try guest.backing(.readOnlyFile, "read-only file", pages: 64),
            try guest.backing(.anonymous, "pages", pages: 72),
            try guest.backing(.copyOnWrite, "copies", pages: 64),
        ]
        var backings: [BackingID: RegionBacking] = [:]
        for (index, backing) in all.enumerated() {
            let id = BackingID(rawValue: UInt64(index) + 1 << 40)
            backings[id] = backing
            contents[id] = (0..<backing.byteCount / 4096).map { originalContents(of: backing.name, $0) }
            dirty[id] = Set(backing.bitmap.dirtyRuns().joined())
        }
        self.backings = backings
        model = PageModel(
            policy: .layered, firstFrame: 0,
            backings: backings.sorted { $0.key < $1.key }.map {
                PageModel.Backing(id: $0.key, description: $0.value.description)
            })
        random = RandomChanges(seed: seed)
    }

    /// Asks for a change or several at once, some of which fail.
    /// - Returns: a complaint.
    mutating func step() throws -> String? {
        var after = model
        var expected: Set<Refusal> = []
        var changes: [RegionChange] = []
        let count = random.isOnce(in: 4) ? random.number(2..<8) : 1
        while changes.count < count, expected.isEmpty {
            let id = try guest.inTurn { manager throws(RegionManagerError) in manager.planning.planner.makeRegionID() }
            let change = random.next(after, newID: id)
            changes.append(change)
            expected = after.apply(change)
        }
        changeCount += changes.count
        guest.log.start(failing: failures())
        switch (make(changes), expected.isEmpty) {
        case (nil, true):
            model = after
            madeCount += 1
        case (.region(let error), false):
            if !expected.contains(Refusal(error)) { return "\(changes) should give \(expected): \(error)" }
        case (.failed, true):
            failedCount += 1
        case (.notRestored, true):
            unfinishedCount += 1
            guest.log.start()
            try guest.apply(RegionUpdate())
        case (let error, _):
            return "\(changes) should give \(expected): \(String(describing: error))"
        }
        try write()
        return try check().map { "\(changes): \($0)" }
    }

    /// Which steps are to fail.
    private mutating func failures() -> Set<Int> {
        guard random.isOnce(in: 3) else { return [] }
        let first = random.number(0..<6)
        return random.isOnce(in: 2) ? [first, first + random.number(1..<4)] : [first]
    }

    private func make(_ changes: [RegionChange]) -> RegionManagerError? {
        let updates = changes.flatMap(updates)
        do throws(RegionManagerError) {
            try guest.inTurn { manager throws(RegionManagerError) in try manager.make(updates) }
            return nil
        } catch {
            return error
        }
    }

    private func updates(_ change: RegionChange) -> [RegionUpdate.Change] {
        switch change {
        case .add(let id, let name, let range, let priority, let mappings, let parameters):
            let memory = mappings.compactMap { mapping in
                backings[mapping.backing].map { backing in
                    RegionDefinition.Memory(
                        offset: mapping.offset, count: mapping.count, of: backing,
                        backingOffset: mapping.backingOffset, isWritable: mapping.isWritable)
                }
            }
            guard memory.count == mappings.count else {
                return [.plain(.add(id, name: name, range: range, priority: priority))]
                    + mappings.map { added($0, to: id) }
            }
            return [
                .add(id, RegionDefinition(name, range, priority: priority, memory: memory, parameters: parameters))
            ]
        case .addMapping(let id, let mapping): return [added(mapping, to: id)]
        default: return [.plain(change)]
        }
    }

    private func added(_ mapping: RegionMapping, to id: RegionID) -> RegionUpdate.Change {
        if let backing = backings[mapping.backing] { return .addMapping(id, mapping, backing) }
        // The manager may have given the number to one of them.
        var mapping = mapping
        mapping.backing = BackingID(rawValue: .max)
        return .plain(.addMapping(id, mapping))
    }

    /// Writes to a page, as a device or as a processor does, or tries to.
    private mutating func write() throws {
        let frame = random.number(0..<PageModel.pageCount)
        let shown = page(at: frame)
        writeCount += 1
        let word = writeCount << 8 | 0x80
        if let page = shown?.page, shown?.isWritable == true {
            if random.isOnce(in: 2) {
                try guest.fill(UInt64(frame), with: word)
            } else if let host = guest.partitions[0].pages[UInt64(frame)]?.hostAddress {
                let bytes = UnsafeMutableRawPointer(bitPattern: host)
                bytes?.storeBytes(of: word, as: UInt64.self)
                bytes?.storeBytes(of: ~word, toByteOffset: 4088, as: UInt64.self)
                let bit: UInt64 = 1 << UInt64(frame)
                withUnsafePointer(to: bit) { log in
                    guest.manager.dirtyLog.merge(UnsafeBufferPointer(start: log, count: 1), of: pages(0..<64))
                }
            }
            contents[page.backing]?[page.number] = word
            dirty[page.backing]?.insert(UInt64(page.number))
        } else {
            #expect(throws: GuestMemoryError.self) { try guest.fill(UInt64(frame), with: word) }
        }
        if random.isOnce(in: 16), let id = backings.keys.min() {
            backings[id]?.bitmap.clear()
            dirty[id] = []
        }
    }

    /// What the model shows at a page of the window.
    private func page(at frame: Int) -> (page: PageModel.Page, isWritable: Bool, isExecutable: Bool)? {
        let seen = model.regions
            .filter { $0.parameters != nil && $0.window.contains(frame) }
            .max { ($0.priority, $1.id) < ($1.priority, $0.id) }
        guard let seen, let parameters = seen.parameters, let page = seen.pages[frame - seen.start] else { return nil }
        return (page, page.isWritable && parameters.isWritable, parameters.isExecutable)
    }

    // MARK: Checks

    private mutating func check() throws -> String? {
        let seen = guest.partitions[0].pages
        for frame in 0..<PageModel.pageCount {
            let (shown, found) = (page(at: frame), seen[UInt64(frame)])
            guard let shown, let found else {
                if shown != nil || found != nil { return "page \(frame) is there, or not" }
                continue
            }
            let word = UnsafeRawPointer(bitPattern: found.hostAddress)?.load(as: UInt64.self)
            if word != contents[shown.page.backing]?[shown.page.number] { return "page \(frame) has other contents" }
            if (found.isWritable, found.isExecutable) != (shown.isWritable, shown.isExecutable) {
                return "page \(frame) has other rights"
            }
        }
        for (id, backing) in backings where Set(backing.bitmap.dirtyRuns().joined()) != dirty[id] {
            return "other pages of \"\(backing.name)\" are dirty"
        }
        return random.isOnce(in: 16) ? try checkAll() : nil
    }

    /// Also what nobody sees.
    private func checkAll() throws -> String? {
        for (id, backing) in backings where try backing.contents(in: guest.manager) != contents[id] {
            return "\"\(backing.name)\" has other contents"
        }
        return try guest.complaints().first
    }
}
