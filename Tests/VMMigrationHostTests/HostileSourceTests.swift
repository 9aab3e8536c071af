import Glibc
import TestSupport
import Testing
import VMHost
import VMMachine
import VMMigration
import VMState

@Suite(
    "Sources that mean no good", .enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized,
    .timeLimit(.minutes(10)))
struct HostileSourceTests {
    private let stream: RecordedStream
    private let folder: TemporaryFolder

    init() throws {
        let guest = try LiveMachine("spin", ["user"]) { $0.memory = ByteSize(bytes: 2 << 20) }
        #expect(guest.waitForLines(1, since: 0))
        stream = try RecordedStream(guest)
        folder = try TemporaryFolder()
    }

    /// What a real destination makes of a stream; a machine that it starts is stopped.
    /// - Returns: why it started none.
    private func receive(_ bytes: some Collection<UInt8>) throws -> MigrationError? {
        let path = try folder.file("stream", bytes)
        let migration = try IncomingMigration(at: MigrationURI("file:" + path), backend: .plain)
        do throws(MigrationError) {
            let machine = try migration.receive { (model) throws(MachineError) in
                try Machine(restoring: model, console: SharedConsole())
            }
            machine.stop()
            _ = machine.wait()
            return nil
        } catch {
            #expect(error.isReadable, "\(error)")
            return error
        }
    }

    @Test("The stream as it was, and with its checksums made anew, is a guest")
    func whole() throws {
        #expect(try receive(stream.original) == nil)
        #expect(try receive(stream.encoded()) == nil)
    }

    @Test("A stream that ends early is no guest, wherever it ends")
    func truncated() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var lengths = (0..<40).map { _ in Int.random(in: 0..<stream.original.count, using: &random) }
        for offset in stream.offsets.filter({ $0 < 100_000 }).prefix(8) + stream.offsets.suffix(4) {
            lengths += [offset, offset + 1, offset + 31, offset + 32, offset + 33]
        }
        for length in Set(lengths) where length < stream.original.count {
            let failure = try receive(stream.original.prefix(length))
            #expect(failure != nil, "\(length) of \(stream.original.count) bytes, seed \(seed)")
        }
    }

    @Test("A stream with a bit that is another is no guest, whichever it is")
    func flipped() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        var offsets = (0..<100).map { _ in Int.random(in: 0..<stream.original.count, using: &random) }
        for offset in stream.offsets.prefix(6) + stream.offsets.suffix(4) {
            offsets += (0..<32).map { offset + $0 }
        }
        for offset in Set(offsets) {
            var bytes = stream.original
            bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            #expect(try receive(bytes) != nil, "byte \(offset), seed \(seed)")
        }
    }

    @Test("Frames that are left out, sent twice or in another order are refused")
    func reordered() throws {
        for index in stream.parts.indices {
            // A round of memory may be ended or not, and what of it is missing is noted in the end.
            var without = stream
            without.parts.remove(at: index)
            if stream.parts[index].type != .roundEnd {
                #expect(try receive(without.encoded()) != nil, "without \(index)")
            }
            var twice = stream
            twice.parts.insert(twice.parts[index], at: index)
            switch stream.parts[index].type {
            case .memory, .roundEnd: #expect(try receive(twice.encoded()) == nil, "twice \(index)")
            case .commit: break
            default: #expect(try receive(twice.encoded()) != nil, "twice \(index)")
            }
        }
    }

    @Test(
        "Records that are missing, doubled, of another version or of nobody are refused or do no harm",
        arguments: [FrameType.description, .state])
    func records(_ type: FrameType) throws {
        let records = try #require(stream.parts.first { $0.type == type }).state.records
        for index in records.indices {
            let record = records[index]
            let name = "\(record.kind) \(record.instance)"
            func refuses(_ change: (inout [StateRecord]) -> Void, _ what: String, isOptional: Bool = false) throws {
                let failure = try receive(
                    stream.changed(type) { state in
                        var records = state.records
                        change(&records)
                        return MachineState(records)
                    })
                #expect(failure != nil || isOptional, "\(name) \(what)")
            }
            // What a host may lack, nobody has to send.
            let isOptional = ["vcpu.xcrs", "vcpu.debug", "clock"].contains(record.kind)
            try refuses({ $0.remove(at: index) }, "missing", isOptional: isOptional)
            try refuses({ $0.append(record) }, "twice")
            let other = StateRecord(
                kind: record.kind, instance: record.instance, version: record.version + 1, fields: record.fields)
            try refuses({ $0[index] = other }, "of another version")
            let fieldless = StateRecord(
                kind: record.kind, instance: record.instance, version: record.version, fields: [])
            try refuses({ $0[index] = fieldless }, "without fields")
        }
    }

    @Test("No value of a field does harm", arguments: [FrameType.description, .state])
    func values(_ type: FrameType) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let before = HostResources.now
        var count = 0
        let records = try #require(stream.parts.first { $0.type == type }).state.records
        for index in records.indices {
            for field in records[index].fields.indices {
                let hostile = HostileValues.of(records[index].fields[field].value)
                // All for what says how much there is; some of the many others.
                for value in type == .description ? hostile : Array(hostile.shuffled(using: &random).prefix(2)) {
                    _ = try receive(stream.changed(type) { $0.replacing(value, in: index, field) })
                    count += 1
                }
            }
        }
        let after = HostResources.now
        #expect(
            after.showsNoLeak(since: before, of: count), "\(after), before: \(before), \(count) streams, seed \(seed)")
    }

    @Test("What the host lacks is named")
    func lacking() throws {
        let cases: [(field: String, change: ([UInt64]) -> [UInt64], words: String)] = [
            ("msrs", { $0 + [0xdead_beef] }, "MSR 0xdeadbeef"),
            // Bit 2 of ECX in leaf 1 is for 64-bit debug store areas, which no KVM has.
            ("cpuid", { HostileValues.withBit(2, ofRegister: 5, inLeaf: 1, $0) }, "dtes64"),
        ]
        for (field, change, words) in cases {
            let failure = try receive(
                stream.changed(.description) { state in
                    guard let index = state.records.firstIndex(where: { $0.kind == "vcpu.model" }),
                        let place = state.records[index].fields.firstIndex(where: { $0.name == field }),
                        case .numbers(let numbers) = state.records[index].fields[place].value
                    else { return state }
                    return state.replacing(.numbers(change(numbers)), in: index, place)
                })
            #expect("\(String(describing: failure))".contains(words))
            guard case .machine(.hostLacks) = failure else {
                Issue.record("\(String(describing: failure))")
                continue
            }
        }
    }
}

extension MachineState {
    /// With another value in a field.
    fileprivate func replacing(_ value: StateValue, in record: Int, _ field: Int) -> MachineState {
        var records = records
        let old = records[record]
        var fields = old.fields
        fields[field] = StateField(fields[field].name, value)
        records[record] = StateRecord(kind: old.kind, instance: old.instance, version: old.version, fields: fields)
        return MachineState(records)
    }
}

/// What somebody hostile puts in the place of a value.
private enum HostileValues {
    static func of(_ value: StateValue) -> [StateValue] {
        let numbers: [UInt64] = [
            0, 1, 2, 255, 4095, 4097, 1 << 31, 1 << 32, 1 << 40, 1 << 52, 1 << 63, .max - 4095, .max,
        ]
        switch value {
        case .number: return numbers.map(StateValue.number) + [.text("1"), .numbers([1])]
        case .numbers(let old):
            let replaced = numbers.map { number in StateValue.numbers(old.map { _ in number }) }
            let one = (0..<min(5, old.count)).flatMap { place in
                numbers.map { number in
                    var changed = old
                    changed[place] = number
                    return StateValue.numbers(changed)
                }
            }
            return replaced + one + [.numbers([]), .numbers(old + [1]), .numbers(old + old), .numbers(old.dropLast())]
        case .bytes(let old):
            return [
                .bytes([]), .bytes(old + [0]), .bytes(Array(old.dropLast())), .bytes(old.map { _ in 0xff }),
                .bytes(old.map { _ in 0 }), .text("bytes"),
            ]
        case .text:
            return [
                .text(""), .text(String(repeating: "a", count: 60_000)), .text("\u{1b}[2J\u{7}\n"), .text("../../etc"),
                .number(1),
            ]
        }
    }

    /// Sets a bit of a register, by its place in a leaf's seven numbers.
    static func withBit(_ bit: Int, ofRegister register: Int, inLeaf function: UInt64, _ leaves: [UInt64]) -> [UInt64] {
        var leaves = leaves
        for first in stride(from: 0, to: leaves.count, by: 7) where leaves[first] == function {
            leaves[first + register] |= 1 << UInt64(bit)
        }
        return leaves
    }
}

/// What the process has of the host's.
private struct HostResources: CustomStringConvertible {
    let descriptors: Int
    let threads: Int
    let mappings: Int

    static var now: HostResources {
        func count(_ path: String) -> Int { (try? TemporaryFolder.entries(path).count) ?? 0 }
        let maps = (try? TemporaryFolder.contents(ofFile: "/proc/self/maps")) ?? []
        return HostResources(
            descriptors: count("/proc/self/fd"), threads: count("/proc/self/task"),
            mappings: maps.count { $0 == UInt8(ascii: "\n") })
    }

    /// Whether so many attempts cannot each have left something behind. What other tests have meanwhile comes and goes.
    func showsNoLeak(since other: HostResources, of count: Int) -> Bool {
        let limit = count * 9 / 10
        return descriptors - other.descriptors < limit && threads - other.threads < limit
            && mappings - other.mappings < limit
    }

    var description: String { "\(descriptors) descriptors, \(threads) threads, \(mappings) mappings" }
}
