import VMAddressSpace

/// Finds room in the guest's RAM for what the image does not bring along: modules, GDT, page tables, command
/// line, Multiboot information, stack. Pure bookkeeping; nothing is written.
struct BootLayout {
    /// The interrupt vectors and data of real mode; never given away.
    static let firstUsable: UInt64 = 0x500
    /// The first 64 KiB less the last paragraph, so that a stack pointer at a piece's end fits 16 bits.
    static let firstSegment: Range<UInt64> = firstUsable..<0xfff0
    /// Below the range that PCs use for video memory and firmware.
    static let conventional: Range<UInt64> = firstUsable..<0xa_0000
    /// Less the last page, so that the end of a piece fits 32 bits as well.
    static let below4GiB: Range<UInt64> = 0x1000..<0xffff_f000
    /// Video memory and firmware of a PC, which memory maps say is reserved.
    private static let legacyHole: Range<UInt64> = 0xa_0000..<0x10_0000

    let ram: GuestRAM
    private let subject: String
    /// What is taken, in the order in which it was.
    private var occupied: [AddressRange] = []

    /// - Parameters:
    ///   - image: what the image's bytes take.
    ///   - subject: its name, for messages.
    init(ram: GuestRAM, image: [BootPlan.Load], subject: String) {
        self.ram = ram
        self.subject = subject
        occupied.reserveCapacity(image.count + 8)
        for load in image {
            if let range = AddressRange(start: load.address, count: load.count) { occupied.append(range) }
        }
    }

    /// Takes the preferred place where it is free, otherwise the lowest free one of the first of `windows`
    /// that has one.
    /// - Parameters:
    ///   - what: what it is for, in an error.
    ///   - count: in bytes, above zero.
    ///   - alignment: a power of two, for the search; the preferred place is taken as it is.
    /// - Throws: `BootError` of kind `doesNotFit`.
    mutating func place(
        _ what: String, count: UInt64, preferring preferred: UInt64?, in windows: [Range<UInt64>] = [below4GiB],
        alignment: UInt64 = PageSize.size4K.bytes
    ) throws(BootError) -> AddressRange {
        if let preferred, let range = AddressRange(start: GuestAddress(preferred), count: count), isFree(range) {
            occupied.append(range)
            return range
        }
        for window in windows {
            if let range = firstFree(count, in: window, alignment) {
                occupied.append(range)
                return range
            }
        }
        throw noRoom(for: what, count, in: windows)
    }

    /// Takes a page to be left unused.
    /// - Parameter page: its address.
    /// - Returns: nil where something is there already.
    mutating func takeIfFree(page: UInt64) -> MemoryRange? {
        guard let range = try? MemoryRange(start: GuestAddress(page), count: PageSize.size4K.bytes),
            isFree(AddressRange(range))
        else { return nil }
        occupied.append(AddressRange(range))
        return range
    }

    /// The highest end of what is taken that ends below `limit`; nil where nothing does.
    func lastOccupied(below limit: UInt64) -> UInt64? {
        occupied.lazy.map(\.last.rawValue).filter { $0 < limit }.max()
    }

    private func isFree(_ range: AddressRange) -> Bool {
        ram.contains(range) && !occupied.contains { $0.overlaps(range) }
    }

    private func firstFree(_ count: UInt64, in window: Range<UInt64>, _ alignment: UInt64) -> AddressRange? {
        guard let window = AddressRange(window) else { return nil }
        for memory in ram.ranges {
            guard let usable = memory.intersection(window) else { continue }
            for gap in usable.subtracting(blockers) {
                if let start = gap.start.alignedUp(to: alignment), let range = AddressRange(start: start, count: count),
                    gap.contains(range)
                {
                    return range
                }
            }
        }
        return nil
    }

    private var blockers: [AddressRange] {
        guard let hole = AddressRange(Self.legacyHole) else { return occupied.sorted() }
        return (occupied + [hole]).sorted()
    }

    private func noRoom(for what: String, _ count: UInt64, in windows: [Range<UInt64>]) -> BootError {
        let problem = "no room for \(what) (\(byteText(count)))"
        guard windows.contains(Self.below4GiB) else {
            return BootError(
                .doesNotFit, subject,
                "\(problem) beside the image below 640 KiB; make the image smaller or give more memory (-m 1M)")
        }
        // Past everything there is, or past the hole, there is room; the slack is for what comes after this.
        let end = lastOccupied(below: Self.below4GiB.upperBound) ?? 0
        let slack: UInt64 = 0x4_0000
        let needed = max(end, Self.legacyHole.upperBound).addingSaturating(count).addingSaturating(slack)
        guard needed < GuestRAM.deviceHole.lowerBound else {
            return BootError(
                .doesNotFit, subject, "\(problem) below 3 GiB; use smaller modules or link the image lower")
        }
        let megabytes = GuestRAM.megabytes(for: needed)
        return BootError(
            .doesNotFit, subject,
            "\(problem) beside the image in \(byteText(ram.byteCount)) of memory; "
                + "give the guest at least \(megabytes) MiB (-m \(megabytes)M)")
    }
}
