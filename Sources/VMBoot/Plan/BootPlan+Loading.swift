import VMAddressSpace
import VMMemory

extension BootPlan {
    /// Puts everything in its place; files are read straight into guest memory. Where it throws, some of it
    /// is there already. The guest must not run yet.
    /// - Parameter isZeroed: that the memory is as it was mapped, all zero: then what has to be zero is not
    ///   written, and the host spends no pages on it.
    /// - Throws: `BootError` of kind `badImage` where a file cannot be read (any more), `doesNotFit` where
    ///   `memory` lacks some of what the request said.
    public func load(into memory: GuestMemory, isZeroed: Bool = false) throws(BootError) {
        for load in loads {
            if case .zeros = load.source, isZeroed { continue }
            // What is not there is for the load itself to report.
            if load.count >= Self.populatedCount { _ = try? memory.populate(load.address, count: load.count) }
            switch load.source {
            case .image(let offset, let count):
                try read(image, at: offset, count, into: memory, load.address)
            case .module(let index, let count):
                try read(modules[index], at: 0, count, into: memory, load.address)
            case .bytes(let bytes):
                try access { () throws(GuestMemoryError) in try memory.write(bytes, at: load.address) }
            case .pageTables(let tables):
                try withHostMemory(of: memory, load.address, load.count) { piece, done in
                    tables.fill(piece, from: done)
                }
            case .zeros(let count):
                try access { () throws(GuestMemoryError) in try memory.fill(load.address, count: count, with: 0) }
            }
        }
    }

    /// From how many bytes on one call for the pages costs less than a fault on each.
    private static let populatedCount: UInt64 = 4 * PageSize.size4K.bytes

    private func read(
        _ source: GuestImage, at offset: UInt64, _ count: UInt64, into memory: GuestMemory, _ address: GuestAddress
    ) throws(BootError) {
        try withHostMemory(of: memory, address, count) { (piece, done) throws(BootError) in
            try source.read(at: offset + UInt64(done), into: piece)
        }
    }

    /// Calls `body` with the host memory behind a range, piece by piece, and how many bytes lie before each.
    private func withHostMemory(
        of memory: GuestMemory, _ address: GuestAddress, _ count: UInt64,
        _ body: (UnsafeMutableRawBufferPointer, Int) throws(BootError) -> Void
    ) throws(BootError) {
        let locked = try access { () throws(GuestMemoryError) in
            try memory.lock(address, count: count, for: .writing)
        }
        var done = 0
        for piece in locked.pieces {
            try body(piece.bytes, done)
            done += piece.bytes.count
        }
    }

    private func access<Result: ~Copyable>(
        _ body: () throws(GuestMemoryError) -> Result
    ) throws(BootError) -> Result {
        do throws(GuestMemoryError) {
            return try body()
        } catch {
            throw BootError(.doesNotFit, image.name, "\(error)")
        }
    }
}
