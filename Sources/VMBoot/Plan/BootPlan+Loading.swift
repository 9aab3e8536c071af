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
            switch load.source {
            case .image(let offset, let count):
                try read(image, at: offset, count, into: memory, load.address)
            case .module(let index, let count):
                try read(modules[index], at: 0, count, into: memory, load.address)
            case .bytes(let bytes):
                do {
                    try memory.write(bytes, at: load.address)
                } catch {
                    throw BootError(.doesNotFit, image.name, "\(error)")
                }
            case .pageTables(let tables):
                try forEachPiece(of: memory, load.address, load.count) { piece, done in
                    tables.fill(piece, from: done)
                }
            case .zeros(let count):
                if !isZeroed { try clear(memory, load.address, count) }
            }
        }
    }

    private func read(
        _ source: GuestImage, at offset: UInt64, _ count: UInt64, into memory: GuestMemory, _ address: GuestAddress
    ) throws(BootError) {
        var failure: BootError?
        try forEachPiece(of: memory, address, count) { piece, done in
            guard failure == nil else { return }
            do throws(BootError) {
                try source.read(at: offset + UInt64(done), into: piece)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func clear(_ memory: GuestMemory, _ address: GuestAddress, _ count: UInt64) throws(BootError) {
        try forEachPiece(of: memory, address, count) { piece, _ in
            piece.initializeMemory(as: UInt8.self, repeating: 0)
        }
    }

    private func forEachPiece(
        of memory: GuestMemory, _ address: GuestAddress, _ count: UInt64,
        _ body: (UnsafeMutableRawBufferPointer, Int) -> Void
    ) throws(BootError) {
        do {
            try memory.withHostPieces(address, count: Int(clamping: count), body)
        } catch {
            throw BootError(.doesNotFit, image.name, "\(error)")
        }
    }
}
