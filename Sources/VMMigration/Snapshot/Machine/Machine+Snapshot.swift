import SystemPackage
import VMAddressSpace
import VMDevices
import VMMachine
import VMMemory
import VMRegions
import VMState

extension Machine {
    /// Makes a machine of a snapshot, ready to go on where that was taken.
    ///
    /// Memory is mapped from the snapshot's file, privately: pages are read as they are touched, so that the cost does not grow
    /// with their number, and machines of one snapshot share those that none of them writes. Of a chain of files, the pages of the
    /// differential ones are read at once, and compared with their hashes. Memory that can be at several places at once is read at
    /// once, too.
    ///
    /// - Parameters: as of `init(restoring:)`.
    /// - Throws: `MigrationError`: `machine`, `snapshot`, `regions`, `host`.
    public static func restore(
        _ snapshot: Snapshot, _ options: MachineConfiguration.Restoring = .init(), console: any ConsoleOutput,
        onInputSpace: @escaping @Sendable () -> Void = {}
    ) throws(MigrationError) -> Machine {
        let mapped = try MappedSnapshot(snapshot)
        // Blocks are in the order of the backings.
        var block = 0
        let machine = try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in
            try Machine(restoring: snapshot.state, options, console: console, onInputSpace: onInputSpace) {
                (saved) throws(RegionBackingError) in
                defer { block += 1 }
                return try mapped.backing(saved, block)
            }
        }
        try mapped.fill(machine)
        try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in
            try machine.restoreState(snapshot.state)
        }
        return machine
    }
}

/// The memory of a snapshot as what regions' memory comes from.
private struct MappedSnapshot {
    private let snapshot: Snapshot
    /// The full snapshot at the end of the chain, where there is one.
    private let base: Snapshot
    private let file: SharedMemoryFile
    /// The blocks whose pages can be at several places.
    private let shareable: Set<Int>

    init(_ snapshot: Snapshot) throws(MigrationError) {
        let base = try MigrationError.wrap(MigrationError.snapshot) { () throws(SnapshotError) in try snapshot.base() }
        let saved: [SavedBacking] = try MigrationError.wrap(MigrationError.machine) { () throws(MachineError) in
            try MachineError.wrap(MachineError.state) { () throws(StateError) in try snapshot.state.parts() }
        }
        guard saved.map(\.byteCount) == base.blocks.map(\.byteCount) else {
            throw .snapshot(SnapshotError(.open, snapshot.path, .otherBlocks))
        }
        let descriptor: FileDescriptor
        do {
            descriptor = try base.files[0].descriptor.duplicate()
        } catch {
            throw .snapshot(SnapshotError(.open, base.path, error as? Errno ?? .badFileDescriptor))
        }
        file = SharedMemoryFile(
            try MigrationError.wrap(MigrationError.host) { () throws(HostMemoryError) in
                try MemoryFile(adopting: descriptor, name: "\(base.path)")
            })
        shareable = Set(saved.enumerated().lazy.filter(\.element.isShareable).map(\.offset))
        self.snapshot = snapshot
        self.base = base
    }

    func backing(_ saved: SavedBacking, _ block: Int) throws(RegionBackingError) -> RegionBacking {
        // Pages that can be at several places are not private to one of them.
        guard !saved.isShareable else { return try RegionBacking(empty: saved) }
        return try RegionBacking(
            saved.name, .file(file, .copyOnWrite), fileOffset: base.files[0].bases[block], byteCount: saved.byteCount)
    }

    /// Reads what is not as in the mapped file.
    func fill(_ machine: Machine) throws(MigrationError) {
        guard snapshot.files.count > 1 || !shareable.isEmpty else { return }
        let memory = try TargetMemory(machine)
        // Memory that no region has would stand in the place of another.
        guard memory.blocks.map(\.pageCount) == snapshot.blocks.map(\.pageCount) else {
            throw .snapshot(SnapshotError(.open, snapshot.path, .otherBlocks))
        }
        for block in memory.blocks.indices where snapshot.files.count > 1 || shareable.contains(block) {
            for piece in snapshot.pieces(ofBlock: block) {
                let run = PageRun(block: block, pages: piece.pages)
                switch piece.source {
                case .data(let file, _) where file < snapshot.files.count - 1 || shareable.contains(block):
                    try memory.read(run, from: snapshot)
                case .zero where !shareable.contains(block):
                    // Where the mapped file has data, a later one has zeros.
                    for below in base.pieces(PageRun(block: block, pages: run.pages)) where below.source != .zero {
                        try memory.clear(PageRun(block: block, pages: below.pages))
                    }
                default: break
                }
            }
        }
        try MigrationError.wrap(MigrationError.regions) { () throws(RegionManagerError) in
            try machine.regions.withTurn { manager throws(RegionManagerError) in try manager.endFilling() }
        }
    }
}

extension Snapshot {
    /// The full snapshot that it is built on, in the end.
    fileprivate func base() throws(SnapshotError) -> Snapshot {
        guard let last = files.last, files.count > 1 else { return self }
        let base = try Snapshot(path: last.path)
        // Another may have been put in its place since.
        guard base.id == last.id else {
            throw SnapshotError(.open, last.path, .otherParent(expected: last.id, found: base.id))
        }
        return base
    }
}
