import Glibc
import Testing
import VMAddressSpace

@testable import VMMemory
@testable import VMRegions

/// All that a change that fails must leave as it was.
struct GuestState: Equatable {
    /// A region of the published memory map.
    struct Published: Equatable {
        let range: MemoryRange
        let isReadOnly: Bool
        let hostAddress: UInt
    }

    let planner: PlannerState
    let published: [Published]
    let onHost: [MappedPiece]
    let partitions: [[UInt64: FakePartition.Page]]
    /// Of all pages of each backing, wherever they are.
    let contents: [[UInt64]]
    let dirty: [[Range<UInt64>]]
    let isAnythingLocked: Bool
    let isUnfinished: Bool
    let logsAreAboutPublished: Bool

    init(_ guest: TestGuest) throws {
        let manager = guest.manager
        let space = manager.space
        (planner, isUnfinished) = try guest.inTurn { manager throws(RegionManagerError) in
            (PlannerState(manager.planning.planner), manager.isUnfinished)
        }
        published = manager.memory.regionMap.regions.map { region in
            Published(
                range: region.range, isReadOnly: region.isReadOnly, hostAddress: UInt(bitPattern: region.hostAddress))
        }
        onHost = space.reservation.pieces
        partitions = guest.partitions.map(\.pages)
        contents = try guest.backings.map { try $0.contents(in: manager) }
        dirty = guest.backings.map { Array($0.bitmap.dirtyRuns()) }
        isAnythingLocked = try space.reservation.isLocked(offset: 0, count: UInt64(space.reservation.count))
        logsAreAboutPublished = space.shown.withLock { $0 === manager.memory.regionMap }
    }
}

extension RegionBacking {
    /// The first word of each page: where the guest sees it, where it is parked, or in the file.
    func contents(in manager: RegionManager) throws -> [UInt64] {
        let pieces = try manager.withTurn { manager throws(RegionManagerError) in
            manager.planning.planner.view.pieces.filter {
                $0.memory.flatMap { manager.planning.backings[$0.backing] } === self
            }
        }
        return try (0..<byteCount / 4096).map { page in
            let offset = page * 4096
            for piece in pieces {
                guard let memory = piece.memory, case let into = offset &- memory.backingOffset,
                    into < piece.range.count
                else { continue }
                return (manager.space.reservation.baseAddress + Int(piece.range.start.rawValue + into))
                    .load(as: UInt64.self)
            }
            if !parkedRuns(in: offset..<offset + 4096).isEmpty {
                return (try parkingPlace().baseAddress + Int(offset)).load(as: UInt64.self)
            }
            guard case .file(let shared, _) = memory else { return 0 }
            var word: UInt64 = 0
            #expect(pread(shared.file.descriptor.rawValue, &word, 8, off_t(offset)) == 8)
            return word
        }
    }
}

extension TestGuest {
    /// What view, memory map, host and partitions do not agree on, and which promises were broken.
    func complaints() throws -> [String] {
        let (view, backings) = try inTurn { manager throws(RegionManagerError) in
            (manager.planning.planner.view.pieces, manager.planning.backings)
        }
        let pieces = view.filter { $0.memory != nil }
        let space = manager.space
        var complaints = partitions.flatMap(\.complaints)
        let regions = manager.memory.regionMap.regions
        if regions.map(\.range) != pieces.map(\.range) { complaints.append("the memory map has other ranges") }
        var expected: [UInt64: FakePartition.Page] = [:]
        for (piece, region) in zip(pieces, regions) {
            guard let memory = piece.memory, let backing = backings[memory.backing] else { continue }
            if region.isReadOnly == memory.isWritable { complaints.append("the memory map has \(piece) otherwise") }
            let bytes = piece.range.start.rawValue..<piece.range.endExclusive!.rawValue
            let parts = space.reservation.table.withLock { $0.parts(in: bytes) }
            let isRight = parts.allSatisfy { $0.protection.contains(.write) == memory.isWritable }
            let isAll = parts.reduce(0) { $0 + $1.range.count } == bytes.count
            if !isRight || !isAll { complaints.append("the host has \(piece) otherwise: \(parts)") }
            if parts.contains(where: { $0.backing != backing.memory }) { complaints.append("other memory at \(piece)") }
            for frame in piece.range.frames {
                expected[frame] = FakePartition.Page(
                    hostAddress: space.host.hostAddress(GuestAddress(frame * 4096)), isWritable: memory.isWritable,
                    isExecutable: memory.isExecutable)
            }
        }
        let mapped = space.reservation.pieces.reduce(0) { $0 + $1.range.count }
        if mapped != expected.count * 4096 { complaints.append("the host has \(mapped) bytes") }
        for partition in partitions where partition.pages != expected {
            complaints.append("partition \(partition.name) has other pages")
        }
        return complaints
    }
}
