import VMAddressSpace

extension PlacedImage {
    /// The end of what real mode reaches with the address line A20 off.
    private static let realModeLimit: UInt64 = 0x10_0000
    /// The end of what the initial page tables of long mode map, and of 32-bit addresses.
    private static let mappedLimit: UInt64 = 0x1_0000_0000

    /// A raw binary, whole and in one piece.
    /// - Throws: `BootError` of kind `doesNotFit` or `badOption`.
    init(flat format: ImageFormat, _ request: borrowing BootRequest, _ ram: GuestRAM) throws(BootError) {
        let image = request.image
        let address = request.loadAddress ?? GuestAddress(format == .flat16 ? 0x7c00 : 0x10_0000)
        let limit = format == .flat16 ? Self.realModeLimit : Self.mappedLimit
        let reach = format == .flat16 ? "real mode reaches 1 MiB" : "the guest starts with 4 GiB of addresses"
        guard address.rawValue < limit else {
            throw BootError(
                .badOption, image.name, "cannot be loaded at \(address) (--load-address): \(reach); choose a lower one")
        }
        guard let range = AddressRange(start: address, count: image.count), range.last.rawValue < limit else {
            throw BootError(
                .doesNotFit, image.name,
                "\(byteText(image.count)) at \(address) pass \(hex(limit)), and \(reach); "
                    + (request.format == nil
                        ? "it was taken for a boot sector; is it a disk image?" : "load it lower or make it smaller"))
        }
        try ram.require(range, for: "the image", of: image.name)
        self.loads = [.init(address: address, source: .image(offset: 0, count: image.count))]
        self.entry = try request.entry(in: range, otherwise: address)
    }
}
