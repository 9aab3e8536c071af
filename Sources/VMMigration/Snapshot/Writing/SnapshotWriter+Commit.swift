import SystemPackage
import VMState

extension SnapshotWriter {
    /// Completes the file and puts it in place: index, `fsync`, header, `fsync`, name, `fsync` of the folder. Where it throws,
    /// the file that was there still is, except for errors of `synchronizeFolder`.
    /// - Parameter state: up to 64 MiB, encoded.
    /// - Returns: what a differential snapshot is given as its parent's.
    /// - Throws: `SnapshotError`: `incomplete`, `tooMuchState`, `tooManyRuns`, `fileSizeLimit`, `diskFull`, `system`; `exists`
    ///   where a file came to be at the path meanwhile.
    @discardableResult
    public consuming func commit(state: MachineState) throws(SnapshotError) -> SnapshotID {
        let path = file.path
        if let failure { throw SnapshotError(.write, path, .incomplete(failure)) }
        let state = state.encoded
        guard state.count <= SnapshotFormat.stateLimit else {
            throw SnapshotError(.write, path, .tooMuchState(bytes: state.count))
        }
        let runCounts = runCounts
        let indexOffset = memoryEnd + written.dataCount * 8
        let indexLength = indexLength(runCount: runCounts.reduce(0, +), stateCount: state.count)
        guard indexLength <= SnapshotFormat.indexLimit else { throw SnapshotError(.write, path, .tooManyRuns) }
        if let limit = FileSizeLimit.refusing(indexOffset + indexLength) {
            throw SnapshotError(.write, path, .fileSizeLimit(limit))
        }
        do throws(Errno) {
            try writeHashes()
            let checksum = try writeIndex(at: indexOffset, runCounts: runCounts, state: state)
            try calls.synchronize(file.descriptor)
            try write(
                SnapshotHeader(
                    id: id, parent: parent?.id, indexOffset: indexOffset, indexLength: indexLength,
                    indexChecksum: checksum))
            try calls.synchronize(file.descriptor)
        } catch {
            throw SnapshotError(.write, path, error)
        }
        try file.publish()
        return id
    }

    /// The numbers of a block's pages among those of all.
    private func numbers(ofBlock block: Int) -> Range<UInt64> {
        firstPages[block]..<(firstPages[block] + blocks[block].pageCount)
    }

    /// In a full snapshot, what has no run is zero.
    private var namesZeros: Bool { parent != nil }

    private var runCounts: [UInt64] {
        blocks.indices.map { block in
            var count: UInt64 = 0
            written.forEachRun(in: numbers(ofBlock: block), withZeros: namesZeros) { _ in count += 1 }
            return count
        }
    }

    private func indexLength(runCount: UInt64, stateCount: Int) -> UInt64 {
        let blockTable = blocks.reduce(0) { $0 + 25 + $1.name.utf8.count }
        let fixed = 24 + blockTable + (parent?.name.length ?? 0) + stateCount
        return UInt64(fixed) + runCount * UInt64(StoredRun.byteCount)
    }

    private func writeHashes() throws(Errno) {
        var section = try SectionWriter(file.descriptor, at: memoryEnd, buffer: buffer.bytes, calls: calls)
        for block in blocks.indices {
            let numbers = numbers(ofBlock: block)
            try written.forEachRun(in: numbers, from: numbers.lowerBound, withZeros: false) { (run) throws(Errno) in
                for number in run.pages { try section.append(written.hash(number)) }
            }
        }
        _ = try section.finish()
    }

    /// - Returns: its checksum.
    private func writeIndex(at offset: UInt64, runCounts: [UInt64], state: [UInt8]) throws(Errno) -> UInt64 {
        var section = try SectionWriter(file.descriptor, at: offset, buffer: buffer.bytes, calls: calls)
        let parentName = parent?.name.bytes ?? []
        try section.append(UInt32(blocks.count))
        try section.append(UInt32(parentName.count))
        try section.append(UInt64(state.count))
        try section.append(written.dataCount)
        for (index, block) in blocks.enumerated() {
            try section.append(block.pageCount)
            try section.append(bases[index])
            try section.append(runCounts[index])
            try section.append(UInt8(block.name.utf8.count))
            try section.append(Array(block.name.utf8))
        }
        try section.append(parentName)
        for block in blocks.indices {
            try written.forEachRun(in: numbers(ofBlock: block), withZeros: namesZeros) { (run) throws(Errno) in
                try section.append(run.pages.lowerBound)
                try section.append(run.countWord)
            }
        }
        try section.append(state)
        return try section.finish()
    }

    private func write(_ header: SnapshotHeader) throws(Errno) {
        let page = buffer.pages(1)
        header.encode(into: page)
        try calls.write(file.descriptor, UnsafeRawBufferPointer(page), at: 0)
    }
}
