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
    /// What is taken, by ascending start.
    private var occupied: [AddressRange]

    /// - Parameters:
    ///   - occupied: where the image goes.
    ///   - subject: the image's name, for messages.
    init(ram: GuestRAM, occupied: [AddressRange], subject: String) {
        self.ram = ram
        self.subject = subject
        self.occupied = occupied
        self.occupied.reserveCapacity(occupied.count + 8)
        self.occupied.sort()
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
            take(range)
            return range
        }
        for window in windows {
            if let range = firstFree(count, in: window, alignment) {
                take(range)
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
        take(AddressRange(range))
        return range
    }

    private mutating func take(_ range: AddressRange) {
        let index = occupied.firstIndex { $0.start > range.start } ?? occupied.endIndex
        occupied.insert(range, at: index)
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
        guard let hole = AddressRange(Self.legacyHole) else { return occupied }
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
        let end = occupied.map(\.last.rawValue).filter { $0 < Self.below4GiB.upperBound }.max() ?? 0
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
