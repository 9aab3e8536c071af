import VMAddressSpace

extension PlacedImage {
    /// A Multiboot kernel: by its header's address fields where it has them, as the specification wants it
    /// even for an ELF, otherwise by its ELF segments.
    /// - Throws: `BootError` of kind `badImage`, `doesNotFit` or `badOption`.
    init(multiboot request: BootRequest, _ ram: GuestRAM) throws(BootError) {
        let image = request.image
        let header: MultibootHeader
        switch try MultibootHeader.search(image) {
        case .found(let found): header = found
        case .badChecksum(let bad): throw BootError(.badImage, image.name, "\(bad); correct it")
        case .absent:
            throw BootError(
                .badImage, image.name,
                "has no Multiboot header (magic 0x1badb002 at a multiple of 4) in its first 8 KiB; "
                    + "put it first in the linker script or leave --format out")
        }
        try header.checkRequiredFlags(of: image)
        if header.hasAddresses {
            try self.init(header, request, ram)
        } else if try ELFHeader.isMagic(of: image) {
            try self.init(try ELFExecutable(image, as: nil), request, ram)
        } else {
            throw BootError(
                .badImage, image.name,
                "the Multiboot header at offset \(hex(header.offset)) has no address fields (flag bit 16), "
                    + "and the image is no ELF; give it either")
        }
    }

    /// Specification, section 3.1.3.
    private init(_ header: MultibootHeader, _ request: BootRequest, _ ram: GuestRAM) throws(BootError) {
        let image = request.image
        let extent = try MultibootExtent(header, image)
        try ram.require(extent.whole, for: "the image", of: image.name)
        guard extent.whole.contains(extent.entry) else {
            throw BootError(
                .badImage, image.name,
                "entry_addr \(extent.entry) in the Multiboot header is outside what is loaded, \(extent.whole)")
        }
        var loads = [
            BootPlan.Load(
                address: extent.whole.start, source: .image(offset: extent.fileOffset, count: extent.fileCount))
        ]
        if extent.whole.count > extent.fileCount, let zeros = extent.whole.start.advanced(byBytes: extent.fileCount) {
            loads.append(.init(address: zeros, source: .zeros(count: extent.whole.count - extent.fileCount)))
        }
        self.loads = loads
        self.entry = try request.entry(in: extent.whole, otherwise: extent.entry)
    }
}

/// What a Multiboot header's address fields come to.
private struct MultibootExtent {
    let fileOffset: UInt64
    let fileCount: UInt64
    let whole: AddressRange
    let entry: GuestAddress

    init(_ header: MultibootHeader, _ image: GuestImage) throws(BootError) {
        guard let addresses = header.addresses else {
            throw Self.bad(header, image, "promises address fields, which the file or the first 8 KiB end before")
        }
        let load: UInt64
        (load, self.fileOffset) = try Self.start(header, addresses, image)
        let available = image.count - fileOffset
        let loadEnd = addresses.loadEnd == 0 ? load.addingSaturating(available) : UInt64(addresses.loadEnd)
        guard loadEnd > load else {
            throw Self.bad(header, image, "has load_end_addr \(hex(loadEnd)), not above load_addr \(hex(load))")
        }
        self.fileCount = loadEnd - load
        guard fileCount <= available else {
            throw Self.bad(
                header, image,
                "has load_end_addr \(hex(loadEnd)), \(hex(fileCount - available)) bytes past what the file has; "
                    + "the file is cut short")
        }
        let end = addresses.bssEnd == 0 ? loadEnd : UInt64(addresses.bssEnd)
        guard end >= loadEnd, let whole = AddressRange(start: GuestAddress(load), count: end - load) else {
            throw Self.bad(header, image, "has bss_end_addr \(hex(end)) below the loaded data's end \(hex(loadEnd))")
        }
        self.whole = whole
        self.entry = GuestAddress(UInt64(addresses.entry))
    }

    /// The address of the first loaded byte and its offset in the file.
    private static func start(
        _ header: MultibootHeader, _ addresses: MultibootHeader.Addresses, _ image: GuestImage
    ) throws(BootError) -> (UInt64, UInt64) {
        let headerAddress = UInt64(addresses.header)
        let offset = UInt64(header.offset)
        // -1: the file is loaded from its beginning, so that the header comes to lie where it says.
        guard addresses.load != .max else {
            guard headerAddress >= offset else {
                throw bad(header, image, "has header_addr \(hex(headerAddress)), which puts the file's start below 0")
            }
            return (headerAddress - offset, 0)
        }
        let load = UInt64(addresses.load)
        guard load <= headerAddress else {
            throw bad(header, image, "has load_addr \(hex(load)) above header_addr \(hex(headerAddress))")
        }
        guard headerAddress - load <= offset else {
            throw bad(
                header, image,
                "has load_addr \(hex(load)) so far below header_addr \(hex(headerAddress)) "
                    + "that loading starts before the file")
        }
        return (load, offset - (headerAddress - load))
    }

    private static func bad(_ header: MultibootHeader, _ image: GuestImage, _ problem: String) -> BootError {
        BootError(.badImage, image.name, "the Multiboot header at offset \(hex(header.offset)) \(problem)")
    }
}
