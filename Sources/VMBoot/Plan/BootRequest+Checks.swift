import VMAddressSpace

extension BootRequest {
    /// What fits a page with its zero byte.
    static let maximumCommandLine = Int(PageSize.size4K.bytes) - 1

    /// - Throws: `BootError` of kind `badOption` for what this format has no use for, and for strings that no
    ///   guest could be given; of kind `badImage` for an empty module.
    func checkOptions(for format: ImageFormat) throws(BootError) {
        if !format.isFlat { try refuseLoadAddress() }
        try Self.checkCommandLine(commandLine, of: image)
        if format != .multiboot, let module = modules.first {
            throw BootError(
                .badOption, module.image.name,
                "modules need a Multiboot kernel, and \(image.name) is \(format); "
                    + "leave out --module or use such a kernel")
        }
        for module in modules {
            try Self.checkCommandLine(module.commandLine, of: module.image)
            guard module.image.count > 0 else {
                throw BootError(.badImage, module.image.name, "is empty; a module needs contents")
            }
        }
    }

    private static func checkCommandLine(_ line: String, of image: GuestImage) throws(BootError) {
        guard line.utf8.count <= maximumCommandLine else {
            throw BootError(
                .badOption, image.name,
                "its command line has \(line.utf8.count) bytes; shorten it to \(maximumCommandLine)")
        }
        guard !line.utf8.contains(0) else {
            throw BootError(
                .badOption, image.name, "its command line has a zero byte, which would end it; leave it out")
        }
    }

    /// - Throws: `BootError` of kind `badOption` where a load address was given.
    private func refuseLoadAddress() throws(BootError) {
        guard let loadAddress else { return }
        throw BootError(
            .badOption, image.name,
            "cannot be loaded at \(loadAddress) (--load-address): the image carries its own addresses; "
                + "link it for another one, or make it a raw binary (objcopy -O binary)")
    }
}
