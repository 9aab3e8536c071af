import Glibc
import Synchronization
import SystemPackage
import Testing
import VMAddressSpace
import VMBoot
import VMDirtyBitmap
import VMMemory

@Suite struct LoadingTests {
    /// Memory that is nowhere zero.
    private func dirtyMemory(_ ranges: [MemoryRange]) throws -> GuestMemory {
        let memory = try GuestMemory(anonymous: ranges)
        for range in memory.regionMap.ranges {
            try memory.write([UInt8](repeating: 0xcc, count: Int(range.count)), at: range.start)
        }
        return memory
    }

    private func contents(_ load: BootPlan.Load, _ request: BootRequest) throws -> [UInt8] {
        switch load.source {
        case .image(let offset, let count): try request.image.read(at: offset, count: Int(count))
        case .module(let index, let count): try request.modules[index].image.read(at: 0, count: Int(count))
        case .bytes(let bytes): bytes
        case .pageTables(let tables): tables.bytes
        case .zeros(let count): [UInt8](repeating: 0, count: Int(count))
        }
    }

    @Test func `everything is in its place afterwards, and nothing else is touched`() throws {
        let folder = TemporaryFolder()
        let image = try GuestImage(path: folder.file("kernel", MultibootBuilder.elf()))
        let initrd = try GuestImage(path: folder.file("initrd", [UInt8](repeating: 3, count: 5000)))
        let request = BootRequest(
            image: image, commandLine: "kernel", modules: [BootModule(image: initrd, commandLine: "initrd")],
            memory: ram(2 << 20))
        let plan = try BootPlan(request)
        let memory = try dirtyMemory(request.memory)
        try plan.load(into: memory)

        var expected = [UInt8](repeating: 0xcc, count: 2 << 20)
        for load in plan.loads {
            let start = Int(load.address.rawValue)
            expected.replaceSubrange(start..<(start + Int(load.count)), with: try contents(load, request))
        }
        #expect(try memory.read(GuestAddress(0), count: 2 << 20) == expected)
    }

    @Test func `a load may cross from one region of memory to the next`() throws {
        let pieces = [(0, 0x10_0000), (0x10_0000, 0x1000), (0x10_1000, 0x10_0000)] as [(UInt64, UInt64)]
        let ranges = try pieces.map { try MemoryRange(start: GuestAddress($0.0), count: $0.1) }
        let bytes = (0..<0x3000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        let request = BootRequest(bytes, as: .flat64, at: 0xf_f800, memory: ranges)
        let memory = try GuestMemory(anonymous: ranges)
        try BootPlan(request).load(into: memory)
        #expect(try memory.read(GuestAddress(0xf_f800), count: bytes.count) == bytes)
    }

    @Test func `page tables may cross from one region of memory to the next`() throws {
        let ranges = try [0..<2, 2..<3, 3..<0x200].map { try MemoryRange(frames: $0) }
        let plan = try BootPlan(BootRequest([0xf4], as: .flat64, memory: ranges))
        let memory = try dirtyMemory(ranges)
        try plan.load(into: memory, isZeroed: true)
        let tables = try plan.literal(at: plan.cpu.cr3)
        #expect(plan.cpu.cr3 == 0x1000)
        #expect(try memory.read(GuestAddress(0x1000), count: tables.count) == tables)
    }

    @Test func `zeros are not written to memory that is said to be zero`() throws {
        var builder = ELFBuilder()
        builder.segments[0].memorySize = 0x1000
        let request = BootRequest(builder.bytes(), memory: ram(2 << 20))
        let memory = try dirtyMemory(request.memory)
        try BootPlan(request).load(into: memory, isZeroed: true)
        #expect(try memory.read(GuestAddress(0x10_0020), count: 1) == [0xcc])
        try BootPlan(request).load(into: memory)
        #expect(try memory.read(GuestAddress(0x10_0020), count: 1) == [0])
    }

    @Test func `pages are provided ahead for what is long, and not for what is not written`() throws {
        var builder = ELFBuilder()
        builder.segments[0].memorySize = 0x8_0000
        let request = BootRequest(builder.bytes(), memory: ram(2 << 20))
        let flat = BootRequest(
            [UInt8](repeating: 0x90, count: 0x4_0001), as: .flat64, at: 0x4_0000, memory: ram(2 << 20))
        for (request, isZeroed) in [(request, true), (request, false), (flat, true)] {
            let provider = try Provider(byteCount: 2 << 20)
            let range = try MemoryRange(start: GuestAddress(0), count: 2 << 20)
            let region = try MemoryRegion(range, provider, bitmap: NoBitmap())
            let plan = try BootPlan(request)
            // What is provided is no condition: this backing refuses.
            try plan.load(into: GuestMemory(GuestMemoryAtomic(RegionMap([region]))), isZeroed: isZeroed)
            let long = plan.loads.filter { load in
                if case .zeros = load.source, isZeroed { false } else { load.count >= 0x4_0000 }
            }
            let asked = long.map { $0.address.rawValue & ~0xfff }
            #expect(provider.asked == asked)
        }
    }

    @Test func `memory other than the request's is an error`() throws {
        let plan = try BootPlan(BootRequest(ELFBuilder().bytes()))
        let memory = try GuestMemory(anonymous: ram(1 << 20))
        let error = #expect(throws: BootError.self) { try plan.load(into: memory) }
        #expect(error?.kind == .doesNotFit)
    }

    /// 2 MiB of RAM of which the host cannot provide `missing`: a file that was cut short.
    private func memory(without missing: Range<UInt64>, _ folder: TemporaryFolder) throws -> GuestMemory {
        let ranges = [0..<missing.lowerBound, missing, missing.upperBound..<0x200].filter { !$0.isEmpty }
        let path = folder.file("ram", [UInt8](repeating: 0, count: missing.count << 12))
        let regions: [any GuestMemoryRegion] = try ranges.map { frames in
            let range = try MemoryRange(frames: frames)
            guard frames == missing else { return try MemoryRegion<NoBitmap>(anonymous: range) }
            let file = try MemoryFile(path: FilePath(path), access: .readWrite)
            return try MemoryRegion(range, MappedMemory(HostMapping(file, count: range.count)), bitmap: NoBitmap())
        }
        try #require(truncate(path, 0) == 0)
        return GuestMemory(GuestMemoryAtomic(try RegionMap(regions)))
    }

    @Test(
        "memory that the host does not provide is no fault of the image's",
        arguments: [0x100..<0x101, 0x1..<0x8, 0x6..<0x8] as [Range<UInt64>], [false, true])
    func hostFault(_ missing: Range<UInt64>, _ isFile: Bool) throws {
        let folder = TemporaryFolder()
        let bytes = [UInt8](repeating: 0xf4, count: 100)
        let image = isFile ? try GuestImage(path: folder.file("image", bytes)) : GuestImage(name: "image", bytes: bytes)
        let request = BootRequest(
            image: image, format: .flat64, loadAddress: GuestAddress(0x10_0000), memory: ram(2 << 20))
        let plan = try BootPlan(request)
        #expect(plan.cpu.cr3 == 0x1000)
        let memory = try memory(without: missing, folder)
        let error = #expect(throws: BootError.self) { try plan.load(into: memory, isZeroed: true) }
        #expect(error?.kind == .memoryFailure)
        #expect(error?.subject == "image")
    }
}

/// Memory that notes where it is asked to provide pages, and does not.
private final class Provider: GuestMemoryAccess {
    private let memory: MappedMemory
    private let offsets = Mutex<[UInt64]>([])

    init(byteCount: UInt64) throws {
        memory = MappedMemory(try HostMapping(anonymous: byteCount))
    }

    var asked: [UInt64] { offsets.withLock { $0 } }
    var mapping: UnsafeMutableRawPointer? { memory.mapping }
    var byteCount: UInt64 { memory.byteCount }

    func providePages(offset: UInt64, count: UInt64) -> Bool {
        offsets.withLock { $0.append(offset) }
        return false
    }
}
