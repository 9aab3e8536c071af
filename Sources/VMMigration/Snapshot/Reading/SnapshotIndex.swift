import SystemPackage
import VMState

/// What a file's index has.
struct SnapshotIndex {
    let blocks: [RAMBlock]
    /// Where each block starts in the file.
    let bases: [UInt64]
    /// Where the hashes are.
    let hashOffset: UInt64
    /// Of each block, in order.
    let runs: [[StoredRun]]
    /// As seen from the file's folder; nil in a full snapshot.
    let parentName: FilePath?
    let state: MachineState

    /// Nothing in it is believed: what is not there takes no memory, however long it says it is.
    /// - Throws: `SnapshotError`: `flaw`, `cutOff`, `system`.
    init(
        reading reader: borrowing FileReader, _ header: SnapshotHeader, _ operation: SnapshotError.Operation
    ) throws(SnapshotError) {
        let bytes = header.indexOffset..<header.fileLength
        // First, so that damage is called damage.
        var whole = SectionReader(operation, bytes)
        guard try whole.checksum(reader) == header.indexChecksum else {
            throw SnapshotError(operation, reader.path, .flaw(.indexChecksum))
        }
        var parser = IndexParser(SectionReader(operation, bytes), header, operation)
        self = try parser.parse(reader)
    }

    fileprivate init(
        _ table: BlockTable, hashOffset: UInt64, runs: [[StoredRun]], parentName: FilePath?, state: MachineState
    ) {
        blocks = table.blocks
        bases = table.bases
        self.hashOffset = hashOffset
        self.runs = runs
        self.parentName = parentName
        self.state = state
    }
}

private struct BlockTable {
    var blocks: [RAMBlock] = []
    var bases: [UInt64] = []
    var runCounts: [UInt64] = []
    var end = UInt64(SnapshotFormat.pageBytes)
}

private struct IndexParser: ~Copyable {
    private var section: SectionReader
    private let header: SnapshotHeader
    private let operation: SnapshotError.Operation

    init(_ section: consuming SectionReader, _ header: SnapshotHeader, _ operation: SnapshotError.Operation) {
        self.section = section
        self.header = header
        self.operation = operation
    }

    mutating func parse(_ reader: borrowing FileReader) throws(SnapshotError) -> SnapshotIndex {
        let blockCount = try section.number(reader, as: UInt32.self)
        let parentLength = try section.number(reader, as: UInt32.self)
        let stateLength = try section.number(reader, as: UInt64.self)
        let dataCount = try section.number(reader, as: UInt64.self)
        try require(blockCount <= SnapshotFormat.blockLimit, .blockCount, reader)
        try require(stateLength <= SnapshotFormat.stateLimit, .stateLength, reader)
        try require(
            parentLength <= SnapshotFormat.parentNameLimit && (parentLength > 0) == (header.parent != nil), .parentName,
            reader)
        try require(dataCount <= header.indexOffset / 8, .hashPlace, reader)
        let hashOffset = header.indexOffset - dataCount * 8

        let table = try blockTable(reader, count: Int(blockCount), limit: hashOffset)
        let parentName = try parentName(reader, length: Int(parentLength))
        var runs: [[StoredRun]] = []
        var found: UInt64 = 0
        for (block, count) in zip(table.blocks, table.runCounts) {
            runs.append(try blockRuns(reader, count: count, pageCount: block.pageCount, dataCount: &found))
        }
        try require(found == dataCount, .hashPlace, reader)
        let state = try state(reader, length: Int(stateLength))
        try require(section.remaining == 0, .indexLength, reader)
        return SnapshotIndex(table, hashOffset: hashOffset, runs: runs, parentName: parentName, state: state)
    }

    private mutating func blockTable(
        _ reader: borrowing FileReader, count: Int, limit: UInt64
    ) throws(SnapshotError) -> BlockTable {
        var table = BlockTable()
        var names: Set<String> = []
        for _ in 0..<count {
            let pageCount = try section.number(reader, as: UInt64.self)
            let base = try section.number(reader, as: UInt64.self)
            let runCount = try section.number(reader, as: UInt64.self)
            let nameLength = try section.number(reader, as: UInt8.self)
            let bytes = try section.bytes(reader, count: Int(nameLength))
            // What is not UTF-8 is repaired, and then another.
            let name = String(decoding: bytes, as: UTF8.self)
            guard name.utf8.elementsEqual(bytes), count == 1 || names.insert(name).inserted else {
                throw flaw(.blockName, reader)
            }
            try require(
                base % UInt64(SnapshotFormat.pageBytes) == 0 && base >= table.end && base <= limit
                    && pageCount <= (limit - base) >> SnapshotFormat.pageShift, .blockPlace, reader)
            table.blocks.append(RAMBlock(name: name, pageCount: pageCount))
            table.bases.append(base)
            table.runCounts.append(runCount)
            table.end = base + pageCount << SnapshotFormat.pageShift
        }
        // Whole pages are mapped and read, and none of them may have bytes of the hashes.
        try require(limit % UInt64(SnapshotFormat.pageBytes) == 0, .hashPlace, reader)
        return table
    }

    private mutating func blockRuns(
        _ reader: borrowing FileReader, count: UInt64, pageCount: UInt64, dataCount: inout UInt64
    ) throws(SnapshotError) -> [StoredRun] {
        try require(count <= section.remaining / UInt64(StoredRun.byteCount), .indexLength, reader)
        var runs: [StoredRun] = []
        var end: UInt64 = 0
        for _ in 0..<count {
            let first = try section.number(reader, as: UInt64.self)
            let countWord = try section.number(reader, as: UInt64.self)
            let run: StoredRun
            do throws(SnapshotError.Flaw) {
                run = try StoredRun(first: first, countWord: countWord, after: end, pageCount: pageCount)
            } catch {
                throw flaw(error, reader)
            }
            try require(!run.isZero || header.parent != nil, .zeroRun, reader)
            if !run.isZero { dataCount += UInt64(run.pages.count) }
            end = run.pages.upperBound
            runs.append(run)
        }
        return runs
    }

    private mutating func parentName(
        _ reader: borrowing FileReader, length: Int
    ) throws(SnapshotError) -> FilePath? {
        guard length > 0 else { return nil }
        var bytes = try section.bytes(reader, count: length)
        try require(!bytes.contains(0), .parentName, reader)
        bytes.append(0)
        let name = bytes.withUnsafeBytes {
            FilePath(platformString: $0.assumingMemoryBound(to: CChar.self).baseAddress.unsafelyUnwrapped)
        }
        // A snapshot can be moved with its folder, and its parents with it.
        try require(name.isRelative && name.lastComponent?.kind == .regular, .parentName, reader)
        return name
    }

    private mutating func state(
        _ reader: borrowing FileReader, length: Int
    ) throws(SnapshotError) -> MachineState {
        let bytes = try section.bytes(reader, count: length)
        do throws(StateCodingError) {
            return try MachineState(decoding: bytes)
        } catch {
            throw flaw(.state(error), reader)
        }
    }

    private func require(
        _ holds: Bool, _ flaw: SnapshotError.Flaw, _ reader: borrowing FileReader
    ) throws(SnapshotError) {
        guard holds else { throw self.flaw(flaw, reader) }
    }

    private func flaw(_ flaw: SnapshotError.Flaw, _ reader: borrowing FileReader) -> SnapshotError {
        SnapshotError(operation, reader.path, .flaw(flaw))
    }
}
