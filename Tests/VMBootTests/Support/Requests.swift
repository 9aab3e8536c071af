import Testing
import VMAddressSpace
import VMBoot

/// RAM as the machine lays it out: from 0 up to 3 GiB, the rest from 4 GiB up.
func ram(_ byteCount: UInt64) -> [MemoryRange] {
    let low = min(byteCount, 3 << 30)
    return [
        try? MemoryRange(start: GuestAddress(0), count: low),
        try? MemoryRange(start: GuestAddress(4 << 30), count: byteCount - low),
    ].compactMap { $0 }
}

extension BootRequest {
    /// For bytes in a guest with 64 MiB.
    init(
        _ bytes: [UInt8], as format: ImageFormat? = nil, at loadAddress: UInt64? = nil, entry: UInt64? = nil,
        memory: [MemoryRange] = ram(64 << 20), commandLine: String = "guest one two", modules: [BootModule] = []
    ) {
        self.init(
            image: GuestImage(name: "guest", bytes: bytes), format: format,
            loadAddress: loadAddress.map(GuestAddress.init), entry: entry.map(GuestAddress.init),
            commandLine: commandLine, modules: modules, memory: memory, cpuCount: 3, tscKilohertz: 2_500_000)
    }
}

extension BootPlan {
    /// The bytes that the plan itself puts at `address`.
    func literal(at address: UInt64) throws -> [UInt8] {
        let load = try #require(loads.first { $0.address.rawValue == address })
        switch load.source {
        case .bytes(let bytes): return bytes
        case .pageTables(let tables): return tables.bytes
        case .image, .module, .zeros: throw ExpectedLiteral()
        }
    }

    func range(of load: Load) -> AddressRange? {
        AddressRange(start: load.address, count: load.count)
    }
}

extension IdentityPageTables {
    var bytes: [UInt8] {
        var bytes = [UInt8](repeating: 0xcc, count: Int(Self.byteCount))
        bytes.withUnsafeMutableBytes { fill($0, from: 0) }
        return bytes
    }
}

struct ExpectedLiteral: Error {}

/// Everything a plan promises whatever it was made from.
func expectSound(_ plan: BootPlan, _ request: BootRequest, sourceLocation: SourceLocation = #_sourceLocation) {
    let ranges = plan.loads.compactMap(plan.range(of:)).sorted()
    #expect(ranges.count == plan.loads.count, "an empty or wrapping load", sourceLocation: sourceLocation)
    for range in ranges where !request.memory.contains(where: { $0.contains(range) }) {
        Issue.record("\(range) is not RAM", sourceLocation: sourceLocation)
    }
    for (lower, upper) in zip(ranges, ranges.dropFirst()) where lower.overlaps(upper) {
        Issue.record("\(lower) and \(upper) overlap", sourceLocation: sourceLocation)
    }
    if !ranges.contains(where: { $0.contains(plan.entry) }) {
        Issue.record("the entry \(plan.entry) is not loaded", sourceLocation: sourceLocation)
    }
}

/// The error that planning throws.
func planningError(_ request: BootRequest, sourceLocation: SourceLocation = #_sourceLocation) -> BootError? {
    do throws(BootError) {
        _ = try BootPlan(request)
        Issue.record("planning succeeded", sourceLocation: sourceLocation)
        return nil
    } catch {
        #expect(!error.description.contains("\n"), sourceLocation: sourceLocation)
        return error
    }
}
