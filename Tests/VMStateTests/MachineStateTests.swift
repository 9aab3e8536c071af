import Testing
import VMState

private struct Lamp: SavedPart {
    static let kind = "lamp"
    static let version: UInt32 = 3

    enum Colour: UInt8 {
        case red = 1
        case green = 2
    }

    var brightness: UInt8 = 0
    var offset: Int16 = 0
    var isOn = false
    var colour = Colour.red
    var name = ""
    var wiring: [UInt8] = []
    var schedule: [UInt64] = []

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("brightness", &brightness, in: 0...100)
        try archive.number("offset", &offset)
        try archive.flag("on", &isOn)
        try archive.choice("colour", &colour)
        try archive.text("name", &name)
        try archive.bytes("wiring", &wiring, count: 0...4)
        try archive.numbers("schedule", &schedule, count: 0...3)
    }
}

@Suite("State records")
struct MachineStateTests {
    private static let lamp: Lamp = {
        var lamp = Lamp()
        lamp.brightness = 77
        lamp.offset = -12
        lamp.isOn = true
        lamp.colour = .green
        lamp.name = "Küche"
        lamp.wiring = [1, 2, 3]
        lamp.schedule = [.max, 0]
        return lamp
    }()

    private static let state: MachineState = {
        var state = MachineState()
        state.append(lamp)
        state.append(lamp, 1)
        return state
    }()

    @Test("A part comes back from its record as it was")
    func roundTrip() throws {
        let lamp: Lamp = try Self.state.part(Lamp.self, 1)
        #expect(lamp.record() == Self.lamp.record())
        #expect(lamp.offset == -12 && lamp.name == "Küche" && lamp.schedule == [.max, 0])
    }

    @Test("Records come back from their bytes as they were")
    func coding() throws {
        #expect(try MachineState(decoding: Self.state.encoded) == Self.state)
        #expect(try MachineState(decoding: []) == MachineState())
    }

    @Test("Bytes that end early are refused at every length but that of whole records")
    func truncation() {
        let bytes = Self.state.encoded
        let whole = [0, bytes.count / 2, bytes.count]
        for count in 0...bytes.count {
            let decoded = try? MachineState(decoding: bytes.prefix(count))
            #expect((decoded != nil) == whole.contains(count), "\(count) bytes")
        }
    }

    @Test("Whatever byte is changed, reading the records neither traps nor takes more than the bytes say")
    func changedBytes() {
        let bytes = Self.state.encoded
        for index in bytes.indices {
            for change: UInt8 in [1, 0x80, 0xff] {
                var changed = bytes
                changed[index] ^= change
                guard let state = try? MachineState(decoding: changed) else { continue }
                #expect(state != Self.state)
                _ = try? state.parts(Lamp.self)
            }
        }
    }

    @Test("A length far beyond the bytes is refused before anything is made of it")
    func hugeLengths() {
        #expect(throws: StateCodingError.self) { try MachineState(decoding: [0xff, 0xff, 0xff, 0xff]) }
        // A record of 17 bytes: no name, instance, version, and 2^32 - 1 fields.
        var bytes: [UInt8] = [13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        bytes += [0xff, 0xff, 0xff, 0xff]
        #expect(throws: StateCodingError.self) { try MachineState(decoding: bytes) }
    }

    @Test("More records than a machine can have are refused before they take much memory")
    func manyRecords() {
        let record: [UInt8] = [13, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 12)
        let bytes = (0..<70_000).flatMap { _ in record }
        let error = #expect(throws: StateCodingError.self) { try MachineState(decoding: bytes) }
        #expect(error?.reason == .tooMany)
    }

    @Test("Another version is refused, with both in the message")
    func version() {
        let record = StateRecord(kind: "lamp", version: 4, fields: Self.lamp.record().fields)
        let error = #expect(throws: StateError.self) { try Lamp(record) }
        #expect(error?.description.contains("version 4") == true && error?.description.contains("version 3") == true)
    }

    @Test("Fields that are missing, left over or in another's place are refused by name")
    func fields() {
        let fields = Self.lamp.record().fields
        func error(_ fields: [StateField]) -> StateError.Reason? {
            do throws(StateError) {
                _ = try Lamp(StateRecord(kind: "lamp", version: 3, fields: fields))
                return nil
            } catch {
                return error.reason
            }
        }
        #expect(error(fields) == nil)
        #expect(error(Array(fields.dropLast())) == .missingField("schedule"))
        #expect(error(fields + [StateField("more", .number(1))]) == .unknownField("more"))
        #expect(error(Array(fields.dropFirst())) == .otherField("offset", expected: "brightness"))
    }

    @Test(
        "A value that a part cannot have is refused",
        arguments: [
            StateField("brightness", .number(101)), StateField("brightness", .text("much")),
            StateField("offset", .number(40_000)), StateField("on", .number(2)), StateField("colour", .number(3)),
            StateField("name", .bytes([])), StateField("wiring", .bytes([1, 2, 3, 4, 5])),
            StateField("schedule", .numbers([1, 2, 3, 4])), StateField("schedule", .number(1)),
        ])
    func values(_ field: StateField) {
        let fields = Self.lamp.record().fields.map { $0.name == field.name ? field : $0 }
        let error = #expect(throws: StateError.self) {
            try Lamp(StateRecord(kind: "lamp", version: 3, fields: fields))
        }
        guard case .value(field.name, _) = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("A part that is missing, or there twice, is refused")
    func counts() throws {
        #expect(throws: StateError.self) { try MachineState().part(Lamp.self) }
        let twice = MachineState([Self.lamp.record(), Self.lamp.record()])
        #expect(throws: StateError.self) { try twice.part(Lamp.self) }
        #expect(throws: StateError.self) { try twice.parts(Lamp.self) }
        let lamp = try MachineState().partIfPresent(Lamp.self)
        #expect(lamp == nil)
    }
}
