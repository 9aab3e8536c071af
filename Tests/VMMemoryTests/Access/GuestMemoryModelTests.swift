import TestSupport
import Testing
import VMAddressSpace
import VMMemory

/// Random accesses to every kind of memory, beside the same ones to an array of bytes.
@Suite("Guest memory beside a model", .timeLimit(.minutes(10)))
struct GuestMemoryModelTests {
    @Test("Any accesses do to any memory what they do to an array", arguments: AccessMemoryKind.allCases)
    func model(_ kind: AccessMemoryKind) throws {
        for seed in 0..<2 as Range<UInt64> {
            var run = try ModelRun(kind, seed: seed)
            for _ in 0..<800 { try run.step() }
            #expect(try run.contract.contents == run.model, "\(kind), seed \(seed)")
        }
    }
}

/// A run of random accesses. What goes wrong is thrown, with the seed and the number of the access.
private struct ModelRun {
    let contract: AccessContract
    var model: [UInt8]
    private let name: String
    private var random: SeededGenerator
    private var steps = 0

    init(_ kind: AccessMemoryKind, seed: UInt64) throws {
        contract = try kind.make()
        model = [UInt8](repeating: 0, count: contract.count)
        name = "\(kind), seed \(seed)"
        random = SeededGenerator(seed: seed)
    }

    private var memory: GuestMemory { contract.memory }

    mutating func step() throws {
        steps += 1
        switch Int.random(in: 0..<10, using: &random) {
        case 0: try read()
        case 1: try write()
        case 2: try fill()
        case 3: try readAvailable()
        case 4: try writeAvailable()
        case 5: try value(UInt8.self)
        case 6: try value(UInt32.self)
        case 7: try value(UInt64.self)
        case 8: try compareExchange()
        default: try pages()
        }
        if steps % 100 == 0 { try check(contract.contents == model, "the contents") }
    }

    private func check(_ condition: Bool, _ what: String) throws {
        if !condition { throw AccessFailure("\(what) differ: \(name), access \(steps)") }
    }

    /// Offsets from the first byte on, many of them around the two ends and around page boundaries.
    private mutating func part() -> (offset: Int, count: Int) {
        let count = [0, 1, 7, 8, 64, 4096, 9000, contract.count].randomElement(using: &random)!
        let offset =
            switch Int.random(in: 0..<8, using: &random) {
            case 0: Int.random(in: -20...20, using: &random)
            case 1: contract.count - Int.random(in: -20...20, using: &random)
            case 2: Int.random(in: 0..<contract.count / 4096, using: &random) * 4096 - 4
            default: Int.random(in: 0..<contract.count, using: &random)
            }
        return (offset, Int.random(in: 0...count, using: &random))
    }

    /// The address that is `offset` bytes from the first byte, if the handle has it.
    private func address(_ offset: Int) -> GuestAddress? {
        let (sum, overflow) = contract.start.addingReportingOverflow(UInt64(bitPattern: Int64(offset)))
        return overflow == (offset < 0) ? GuestAddress(sum) : nil
    }

    /// Does `body` with the bytes if they are memory; otherwise that must throw at the first that is not.
    private func attempt(_ offset: Int, _ count: Int, _ body: (GuestAddress) throws -> Void) throws -> Bool {
        guard let address = address(offset) else { return false }
        guard count == 0 || offset >= 0 && offset + count <= contract.count else {
            let error = try AccessMemory.failure { try body(address) }
            try check(error.completed == 0, "what was completed and 0")
            if contract.base == 0, contract.start &+ UInt64(contract.count) != 0 {
                let missing = offset < 0 || offset >= contract.count ? offset : contract.count
                try check(error.failing == self.address(missing), "the failing addresses")
                try check(error.kind == .notMapped, "the kinds of error")
            }
            return false
        }
        try body(address)
        return count > 0
    }

    private mutating func read() throws {
        let (offset, count) = part()
        var bytes: [UInt8] = []
        let isDone = try attempt(offset, count) { bytes = try memory.read($0, count: count) }
        if isDone { try check(bytes == Array(model[offset..<(offset + count)]), "the bytes read") }
    }

    private mutating func write() throws {
        let (offset, count) = part()
        let bytes = AccessMemory.pattern(count, seed: steps)
        if try attempt(offset, count, { try memory.write(bytes, at: $0) }) { try noteWritten(offset, bytes) }
    }

    private mutating func fill() throws {
        let (offset, count) = part()
        let value = UInt8.random(in: 0 ... .max, using: &random)
        let isDone = try attempt(offset, count) { try memory.fill($0, count: UInt64(count), with: value) }
        if isDone { try noteWritten(offset, [UInt8](repeating: value, count: count)) }
    }

    private mutating func noteWritten(_ offset: Int, _ bytes: [UInt8]) throws {
        model.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        try check(contract.isMarked(contract.start + UInt64(offset), bytes.count), "the pages written and marked")
    }

    private mutating func readAvailable() throws {
        let (offset, count) = part()
        guard count > 0, let address = address(offset) else { return }
        guard model.indices.contains(offset) else {
            _ = try AccessMemory.failure { _ = try memory.available(address.rawValue, count) }
            return
        }
        let expected = model[offset...].prefix(count)
        try check(memory.available(address.rawValue, count) == Array(expected), "the bytes available")
    }

    private mutating func writeAvailable() throws {
        let (offset, count) = part()
        let bytes = AccessMemory.pattern(count, seed: steps)
        guard count > 0, let address = address(offset) else { return }
        guard model.indices.contains(offset) else {
            _ = try AccessMemory.failure { _ = try memory.writeAvailable(bytes, address.rawValue) }
            return
        }
        let done = try memory.writeAvailable(bytes, address.rawValue)
        try check(done == min(count, model.count - offset), "the bytes written and available")
        try noteWritten(offset, Array(bytes[..<done]))
    }

    private mutating func value<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) throws {
        let (offset, _) = part()
        let size = MemoryLayout<Value>.size
        var loaded: Value = 0
        if try attempt(offset, size, { loaded = try memory.load($0) }) {
            let expected = model[offset..<(offset + size)].reversed().reduce(0) { $0 << 8 | Value($1) }
            try check(loaded == expected, "the values loaded")
        }
        let stored = Value.random(in: 0 ... .max, using: &random)
        if try attempt(offset, size, { try memory.store(stored, at: $0) }) {
            try noteWritten(offset, (0..<size).map { UInt8(truncatingIfNeeded: stored >> ($0 * 8)) })
        }
    }

    private mutating func compareExchange() throws {
        let (offset, _) = part()
        guard offset >= 0, offset + 4 <= contract.count, let address = address(offset) else { return }
        let found = model[offset..<(offset + 4)].reversed().reduce(0) { $0 << 8 | Int32(truncatingIfNeeded: Int($1)) }
        let expected = Bool.random(using: &random) ? found : found &+ 1
        let desired = Int32.random(in: .min ... .max, using: &random)
        guard (contract.base + address.rawValue) % 4 == 0 else {
            let error = try AccessMemory.failure {
                _ = try memory.compareExchange(address, expected: expected, desired: desired)
            }
            return try check(error.kind == .notAtomic, "the kinds of error")
        }
        let result = try memory.compareExchange(address, expected: expected, desired: desired)
        try check(result.exchanged == (found == expected) && result.original == found, "what was found")
        if result.exchanged { try noteWritten(offset, (0..<4).map { UInt8(truncatingIfNeeded: desired >> ($0 * 8)) }) }
    }

    /// A list of pages in any order, some more than once, all of them memory.
    private mutating func pages() throws {
        let firstFrame = (contract.start + 4095) >> 12
        let frames = (0..<Int.random(in: 1...6, using: &random)).map { _ in
            firstFrame + UInt64.random(in: 0..<UInt64(contract.count / 4096 - 1), using: &random)
        }
        let start = UInt64.random(in: 0..<4096, using: &random)
        let count = UInt64.random(in: 0...(UInt64(frames.count) * 4096 - start), using: &random)
        guard let pages = PagedRange(frames: frames, offset: start, count: count) else {
            throw AccessFailure("no such pages: \(name), access \(steps)")
        }
        var parts: [Range<Int>] = []
        var (within, rest) = (Int(start), Int(count))
        for frame in frames where rest > 0 {
            let first = Int((frame << 12) - contract.start) + within
            parts.append(first..<(first + min(4096 - within, rest)))
            rest -= min(4096 - within, rest)
            within = 0
        }
        try check(memory.read(pages) == parts.flatMap { model[$0] }, "the bytes gathered")
        let bytes = AccessMemory.pattern(Int(count), seed: steps)
        try memory.write(bytes, to: pages)
        var done = 0
        for part in parts {
            try noteWritten(part.lowerBound, Array(bytes[done..<(done + part.count)]))
            done += part.count
        }
    }
}
