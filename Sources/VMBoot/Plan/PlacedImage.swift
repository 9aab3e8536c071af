import VMAddressSpace

/// An image whose bytes have their places, all of them RAM, and whose entry point is among them.
struct PlacedImage {
    let loads: [BootPlan.Load]
    let entry: GuestAddress
}

extension PlacedImage {
    /// An executable at the addresses it was linked for.
    /// - Throws: `BootError` of kind `badImage`, `doesNotFit` or `badOption`.
    init(_ executable: ELFExecutable, _ request: borrowing BootRequest, _ ram: GuestRAM) throws(BootError) {
        for segment in executable.segments {
            try ram.require(segment.physical, for: "segment \(segment.index)", of: request.image.name)
        }
        self.loads = executable.segments.flatMap(\.loads)
        if let entry = request.entry {
            self.entry = try executable.physicalEntry(entry.rawValue, .badOption)
        } else {
            self.entry = try executable.physicalEntry(executable.entry, .badImage)
        }
    }
}

extension BootRequest {
    /// The entry point asked for, or `fallback`.
    /// - Throws: `BootError` of kind `badOption` where it is not in `loaded`.
    func entry(in loaded: AddressRange, otherwise fallback: GuestAddress) throws(BootError) -> GuestAddress {
        guard let entry else { return fallback }
        guard loaded.contains(entry) else {
            throw BootError(
                .badOption, image.name, "the entry point \(entry) (--entry) is outside what is loaded, \(loaded)")
        }
        return entry
    }
}
