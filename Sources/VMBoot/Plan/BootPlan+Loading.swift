import VMAddressSpace
import VMMemory

extension BootPlan {
    /// Puts everything in its place; files are read straight into guest memory. Where it throws, some of it
    /// is there already. The guest must not run yet.
    /// - Parameter isZeroed: that the memory is as it was mapped, all zero: then what has to be zero is not
    ///   written, and the host spends no pages on it.
    /// - Throws: `BootError` of kind `badImage` where a file cannot be read (any more), `doesNotFit` where
    ///   `memory` lacks some of what the request said, `memoryFailure` where it cannot be written.
    public func load(into memory: GuestMemory, isZeroed: Bool = false) throws(BootError) {
        for load in loads {
            if case .zeros = load.source, isZeroed { continue }
            // What is not there is for the load itself to report.
            if load.count >= Self.populatedCount { _ = try? memory.populate(load.address, count: load.count) }
            switch load.source {
            case .image(let offset, let count):
                try copy(image, from: offset, count, into: memory, load.address)
            case .module(let index, let count):
                try copy(modules[index], from: 0, count, into: memory, load.address)
            case .bytes(let bytes):
                try write(bytes[...], into: memory, load.address)
            case .pageTables(let tables):
                try write(tables, into: memory, load.address)
            case .zeros(let count):
                try access { () throws(GuestMemoryError) in try memory.fill(load.address, count: count, with: 0) }
            }
        }
    }

    /// From how many bytes on one call for the pages costs less than a fault on each.
    private static let populatedCount: UInt64 = 64 * PageSize.size4K.bytes

    private func copy(
        _ source: GuestImage, from offset: UInt64, _ count: UInt64, into memory: GuestMemory, _ address: GuestAddress
    ) throws(BootError) {
        if let bytes = try source.bytesInMemory(at: offset, count: count) {
            return try write(bytes, into: memory, address)
        }
        let locked = try access { () throws(GuestMemoryError) in
            try memory.lock(address, count: count, for: .writing)
        }
        var done: UInt64 = 0
        try locked.forEachPiece { (piece) throws(BootError) in
            try piece.withUnsafeMutableBytes { (bytes) throws(BootError) in
                try source.read(at: offset + done, into: bytes)
            }
            done += UInt64(piece.byteCount)
        }
    }

    private func write(
        _ bytes: ArraySlice<UInt8>, into memory: GuestMemory, _ address: GuestAddress
    ) throws(BootError) {
        try access { () throws(GuestMemoryError) in
            try bytes.withUnsafeBufferPointer { (buffer) throws(GuestMemoryError) in
                try memory.write(UnsafeRawBufferPointer(buffer), at: address)
            }
        }
    }

    /// By way of a page on the stack: the host's memory can fault, which only `GuestMemory` makes an error.
    private func write(
        _ tables: IdentityPageTables, into memory: GuestMemory, _ address: GuestAddress
    ) throws(BootError) {
        var page = InlineArray<512, UInt64>(repeating: 0)
        for offset in stride(from: 0, to: IdentityPageTables.byteCount, by: Int(PageSize.size4K.bytes)) {
            var entries = page.mutableSpan
            entries.withUnsafeMutableBytes { tables.fill($0, from: Int(offset)) }
            let target = GuestAddress(address.rawValue + offset)
            try access { () throws(GuestMemoryError) in
                try page.span.withUnsafeBytes { (bytes) throws(GuestMemoryError) in try memory.write(bytes, at: target)
                }
            }
        }
    }

    private func access<Result: ~Copyable>(
        _ body: () throws(GuestMemoryError) -> Result
    ) throws(BootError) -> Result {
        do throws(GuestMemoryError) {
            return try body()
        } catch {
            throw BootError(.init(error.kind), image.name, "\(error)")
        }
    }
}

extension BootError.Kind {
    /// What is to blame for guest memory that could not be accessed.
    fileprivate init(_ kind: GuestMemoryError.Kind) {
        self =
            switch kind {
            case .notMapped, .outOfBounds, .readOnly: .doesNotFit
            case .notPermitted, .fault, .backing, .noHostAddress, .notAtomic, .badPageList, .negativeCount, .tooLong:
                .memoryFailure
            }
    }
}
