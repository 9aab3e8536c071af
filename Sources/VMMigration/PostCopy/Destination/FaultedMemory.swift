import Glibc
import SystemPackage
import VMAddressSpace
import VMHost
import VMMachine
import VMRegions

/// The memory of a machine that runs before all of it is there: whoever touches a page that is missing sleeps until it has
/// come.
///
/// Regions stay as they are until `endArriving()`.
///
/// Threads: any, several at once.
final class FaultedMemory: Sendable {
    let target: TargetMemory
    let userFault: UserFault
    let map: FaultMap
    private let machine: Machine
    private let hold: Monitor<RegionHold?>
    /// Where the guest sees pages of blocks that are filled at another place.
    private let views: [FaultMap.Place]

    /// - Throws: `userFault`, where the host cannot do it, or not with memory of a kind that the machine has.
    init(_ machine: Machine, _ target: TargetMemory) throws(MigrationError) {
        let (hold, seen) = try MigrationError.wrap(MigrationError.regions) { () throws(RegionManagerError) in
            try machine.regions.withTurn { manager throws(RegionManagerError) in (try manager.hold(), manager.seenBytes)
            }
        }
        self.machine = machine
        self.hold = Monitor(hold)
        self.target = target
        let filled = target.contents.enumerated().flatMap { (block, contents) in
            contents.extents.map { FaultMap.Place(block: block, $0.bytes, $0.hostAddress) }
        }
        views = target.contents.enumerated().flatMap { (block, contents) in
            seen.filter { $0.backing === contents.backing && contents.backing.isShareable }
                .map { FaultMap.Place(block: block, $0.bytes, $0.hostAddress) }
        }
        map = FaultMap(filled + views)
        userFault = try MigrationError.wrap(MigrationError.userFault) { () throws(UserFaultError) in try UserFault() }
    }

    /// Whether it can be done with all of the memory.
    /// - Throws: `userFault`, which names the memory.
    func probe() throws(MigrationError) {
        try register()
        unregister()
    }

    /// From now on, pages that are missing are waited for.
    func register() throws(MigrationError) {
        for place in map.places {
            do throws(UserFaultError) {
                try userFault.register(place.host, of: target.blocks[place.block].name)
            } catch {
                unregister()
                throw .userFault(error)
            }
        }
    }

    /// Nothing is waited for any more.
    func unregister() {
        for place in map.places { userFault.unregister(place.host) }
    }

    /// Lets no one copy the memory before all of it is there.
    func beginArriving() throws(MigrationError) {
        try MigrationError.wrap(MigrationError.regions) { () throws(RegionManagerError) in
            try machine.regions.withTurn { manager throws(RegionManagerError) in manager.beginArriving() }
        }
    }

    /// All memory can be used, copied and changed as any other.
    func endArriving() {
        hold.withLock { $0 = nil }
        // A manager's turn comes sooner or later.
        try? machine.regions.withTurn { manager throws(RegionManagerError) in manager.endArriving() }
    }

    // MARK: Pages

    /// Makes pages missing, whatever they have.
    func discard(_ run: PageRun) throws(MigrationError) {
        let isShared = target.contents[run.block].backing.isShareable
        try target.forEachPlace(of: run) { (pointer, _, count) throws(MigrationError) in
            // Of a memfd, they go for all who see them (`MADV_REMOVE` makes a hole).
            guard madvise(pointer, count, isShared ? MADV_REMOVE : MADV_DONTNEED) == 0 else {
                throw .userFault(.discard(target.blocks[run.block].name, .last))
            }
        }
        target.received.remove(run)
    }

    /// Makes pages missing of which most, or all, are.
    func discardAgain(_ missing: PageSet) throws(MigrationError) {
        var runCount: UInt64 = 0
        missing.forEachRun { _ in runCount += 1 }
        let pageCount = target.blocks.reduce(0) { $0 + $1.pageCount }
        guard runCount > pageCount / Self.pagesLookedAt else {
            return try missing.forEachRun { (run) throws(MigrationError) in try discard(run) }
        }
        let populated = PopulatedPages()
        for (index, block) in target.blocks.enumerated() {
            let whole = PageRun(block: index, pages: 0..<block.pageCount)
            // Who sees pages of a memfd does not have to be the one who has them.
            guard !target.contents[index].backing.isShareable else {
                try missing.forEachRun(in: whole) { (run) throws(MigrationError) in try discard(run) }
                continue
            }
            try target.forEachPlace(of: whole) { (pointer, offset, count) throws(MigrationError) in
                let first = UInt64(offset) >> PageSize.size4K.shift
                let place = PageRun(block: index, pages: first..<(first + UInt64(count) >> PageSize.size4K.shift))
                try populated.forEachTouchedRun(of: place, at: pointer) { (run, _) throws(MigrationError) in
                    try missing.forEachRun(in: run) { (run) throws(MigrationError) in try discard(run) }
                }
            }
            missing.forEachRun(in: whole) { target.received.remove($0) }
        }
    }

    /// Dropping a run takes about as long as looking whether so many pages are there.
    private static let pagesLookedAt: UInt64 = 128

    /// Puts pages in place that are missing; those that are there stay as they are, as the guest may have written them.
    func place(_ chunk: MemoryChunk) throws(MigrationError) {
        try chunk.forEachRun { (run, bytes) throws(MigrationError) in
            try target.forEachPlace(of: run) { (pointer, offset, count) throws(MigrationError) in
                do throws(Errno) {
                    guard let bytes else {
                        return try userFault.placeZeros(count, at: UInt(bitPattern: pointer))
                    }
                    try userFault.place(
                        UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)]),
                        at: UInt(bitPattern: pointer))
                } catch {
                    throw .userFault(.place(target.blocks[run.block].name, error))
                }
            }
            target.received.mark(run)
            wakeViews(of: run)
        }
    }

    /// Lets whoever has faulted at a page go on that has come already: it was zero, and nobody has touched it since; or it
    /// came while they fell asleep.
    func resolve(_ run: PageRun, at address: UInt) throws(MigrationError) {
        let start = address & ~UInt(PageSize.size4K.mask)
        do throws(Errno) {
            try userFault.placeZeros(Int(PageSize.size4K.bytes), at: start)
        } catch {
            throw .userFault(.place(target.blocks[run.block].name, error))
        }
    }

    /// Who waits for a page of a memfd where the guest sees it does not hear of its being put elsewhere.
    private func wakeViews(of run: PageRun) {
        for view in views where view.block == run.block {
            if let range = view.host(of: run.pages) { userFault.wake(range) }
        }
    }
}

extension FaultMap.Place {
    fileprivate init(block: Int, _ bytes: Range<UInt64>, _ hostAddress: UInt) {
        self.init(
            block: block, firstPage: bytes.lowerBound >> PageSize.size4K.shift,
            host: hostAddress..<(hostAddress + UInt(bytes.count)))
    }
}
