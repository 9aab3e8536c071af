import Testing
import VMBoot

@Suite struct FormatDetectionTests {
    private static let bootSector = [UInt8](repeating: 0x90, count: 510) + [0x55, 0xaa]

    private static let samples: [(ImageFormat, [UInt8])] = [
        (.elf32, ELFBuilder(is64: false).bytes()),
        (.elf64, ELFBuilder().bytes()),
        (.multiboot, MultibootBuilder.elf()),
        (.multiboot, MultibootBuilder.elf(is64: true)),
        (.multiboot, MultibootBuilder.kernel()),
        (.flat16, bootSector),
        (.flat16, bootSector + [1, 2, 3]),
    ]

    private func detect(_ bytes: [UInt8]) throws(BootError) -> ImageFormat {
        try ImageFormat(detecting: GuestImage(name: "guest", bytes: bytes))
    }

    @Test(arguments: samples)
    func `an image's content shows its format`(format: ImageFormat, bytes: [UInt8]) throws {
        #expect(try detect(bytes) == format)
        let request = BootRequest(bytes)
        let plan = try BootPlan(request)
        #expect(plan.format == format)
        expectSound(plan, request)
    }

    @Test(
        arguments: [
            [1], Array("#!/bin/sh\n".utf8), [UInt8](repeating: 0, count: 512), Array(bootSector.dropLast()),
            [0x7f, 0x45, 0x4c], [UInt8](repeating: 0xff, count: 20000),
        ] as [[UInt8]])
    func `what is no image names the formats that run anything`(bytes: [UInt8]) {
        let error = planningError(BootRequest(bytes))
        #expect(error?.kind == .badImage)
        #expect(error?.message.contains("no recognised format") == true)
        #expect(error?.message.contains("--format flat16, flat32 or flat64") == true)
    }

    @Test func `a Multiboot header with a wrong checksum is mentioned where nothing else fits`() {
        let header = MultibootBuilder(checksum: 0x1234).header()
        let error = planningError(BootRequest([UInt8](repeating: 0, count: 64) + header))
        #expect(error?.message.contains("offset 0x40 has checksum 0x1234 instead of 0xe4524ffe") == true)
    }

    @Test func `a Multiboot header without addresses does not make raw bytes an image`() {
        let error = planningError(BootRequest(MultibootBuilder().header()))
        #expect(error?.message.contains("no load addresses (flag bit 16)") == true)
    }

    @Test func `an ELF that has the magic only by chance runs as an ELF`() throws {
        let bytes = MultibootBuilder.elf(checksum: 1)
        #expect(try detect(bytes) == .elf32)
        let error = planningError(BootRequest(bytes, as: .multiboot))
        #expect(error?.message.contains("has checksum 0x1 instead of 0xe4524ffe") == true)
    }

    @Test func `a Multiboot header counts at a multiple of 4 in the first 8 KiB only`() throws {
        let header = MultibootBuilder.kernel().dropFirst(16).prefix(32)
        for (offset, expected) in [
            (8160, ImageFormat.multiboot), (8164, .multiboot), (8184, nil), (8192, nil), (6, nil),
        ] {
            let bytes = [UInt8](repeating: 0, count: offset) + header + [UInt8](repeating: 0, count: 64)
            #expect((try? detect(bytes)) == expected, "offset \(offset)")
        }
    }

    @Test(arguments: [
        (ELFBuilder(is64: true).bytes(), ImageFormat.elf32, "is ELF64, not ELF32"),
        (ELFBuilder(is64: false).bytes(), .elf64, "is ELF32, not ELF64"),
        (bootSector, .elf32, "not an ELF file"),
        (bootSector, .elf64, "not an ELF file"),
        (bootSector, .multiboot, "no Multiboot header"),
        (ELFBuilder().bytes(), .multiboot, "no Multiboot header"),
        (MultibootBuilder().header(), .multiboot, "is no ELF"),
    ])
    func `a format that the content does not allow is refused`(bytes: [UInt8], format: ImageFormat, phrase: String) {
        let error = planningError(BootRequest(bytes, as: format))
        #expect(error?.kind == .badImage)
        #expect(error?.message.contains(phrase) == true, "\(String(describing: error))")
    }

    @Test(arguments: [ImageFormat.flat16, .flat32, .flat64])
    func `every file runs as a raw binary if asked to`(format: ImageFormat) throws {
        for bytes in [[0xf4], ELFBuilder().bytes()] {
            let plan = try BootPlan(BootRequest(bytes, as: format))
            #expect(plan.format == format)
            #expect(plan.loads.first?.source == .image(offset: 0, count: UInt64(bytes.count)))
        }
    }

    @Test func `a Multiboot ELF runs as a plain ELF if asked to`() throws {
        let plan = try BootPlan(BootRequest(MultibootBuilder.elf(is64: true), as: .elf64))
        #expect(plan.cpu.mode == .long64)
    }

    @Test func `an empty image in memory is refused`() {
        for format in [nil] + ImageFormat.allCases {
            #expect(planningError(BootRequest([], as: format))?.message.contains("empty") == true)
        }
    }
}
