/// Records as bytes. All numbers are little-endian. A record is:
///
/// | bytes | |
/// |---|---|
/// | 4 | how many bytes of it follow |
/// | 1 + n | its kind, UTF-8, after its length |
/// | 4 | instance |
/// | 4 | version |
/// | 4 | how many fields |
/// | … | the fields: name as 1 + n bytes, a byte for the kind of value, the value |
///
/// A value is 1: a number of 8 bytes; 2: numbers, their count in 4 bytes before them; 3: bytes, and 4: text in UTF-8, both
/// with their length in 4 bytes before them.
extension MachineState {
    /// What it takes to bring all records elsewhere.
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        for record in records { record.encode(into: &bytes) }
        return bytes
    }

    /// Far more than any machine has: each takes several times its bytes.
    private static let fieldLimit = 1 << 16

    /// - Parameter bytes: of anybody. What they say is bounded by how many there are.
    /// - Throws: `StateCodingError`.
    public init(decoding bytes: some Collection<UInt8>) throws(StateCodingError) {
        var reader = ByteReader(Array(bytes))
        var records: [StateRecord] = []
        var room = Self.fieldLimit
        while !reader.isAtEnd {
            var body = try reader.slice(try reader.count())
            records.append(try StateRecord(&body, room: &room))
            guard body.isAtEnd else { throw StateCodingError(offset: body.offset, .leftover) }
        }
        self.init(records)
    }
}

/// Why bytes are no records.
public struct StateCodingError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// They end within one, or a length in them is wrong.
        case truncated
        case notUTF8
        /// A kind of value that there is not.
        case valueKind(UInt8)
        /// More records and fields than there can be.
        case tooMany
        /// Bytes after the last field of a record.
        case leftover
    }

    /// In the bytes.
    public let offset: Int
    public let reason: Reason

    init(offset: Int, _ reason: Reason) {
        self.offset = offset
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .truncated: "the state records end early, or have a wrong length, at byte \(offset)"
        case .notUTF8: "the state records have text that is not UTF-8 at byte \(offset)"
        case .valueKind(let kind): "the state records have a value of an unknown kind, \(kind), at byte \(offset)"
        case .tooMany: "the state records have more fields than a machine has, at byte \(offset)"
        case .leftover: "the state records have a record that is longer than its fields, at byte \(offset)"
        }
    }
}

extension StateRecord {
    fileprivate func encode(into bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(littleEndian: UInt32(0))
        bytes.append(name: kind)
        bytes.append(littleEndian: instance)
        bytes.append(littleEndian: version)
        bytes.append(littleEndian: UInt32(clamping: fields.count))
        for field in fields {
            bytes.append(name: field.name)
            bytes.append(field.value)
        }
        withUnsafeBytes(of: UInt32(clamping: bytes.count - start - 4).littleEndian) { length in
            for (index, byte) in length.enumerated() { bytes[start + index] = byte }
        }
    }

    /// - Parameter room: how many records and fields there may be.
    fileprivate init(_ reader: inout ByteReader, room: inout Int) throws(StateCodingError) {
        let start = reader.offset
        let kind = try reader.name()
        let instance = try reader.integer(UInt32.self)
        let version = try reader.integer(UInt32.self)
        let count = try reader.count()
        guard count < room else { throw StateCodingError(offset: start, .tooMany) }
        room -= count + 1
        var fields: [StateField] = []
        fields.reserveCapacity(count)
        for _ in 0..<count {
            let name = try reader.name()
            fields.append(StateField(name, try StateValue(&reader)))
        }
        self.init(kind: kind, instance: instance, version: version, fields: fields)
    }
}

extension StateValue {
    fileprivate init(_ reader: inout ByteReader) throws(StateCodingError) {
        let offset = reader.offset
        switch try reader.integer(UInt8.self) {
        case 1: self = .number(try reader.integer())
        case 2: self = .numbers(try reader.integers(try reader.count(of: 8)))
        case 3: self = .bytes(try reader.bytes(try reader.count()))
        case 4: self = .text(try reader.text(try reader.count()))
        case let kind: throw StateCodingError(offset: offset, .valueKind(kind))
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append<Number: FixedWidthInteger>(littleEndian number: Number) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }

    /// Of up to 255 bytes, as all names of the program's own are.
    fileprivate mutating func append(name: String) {
        let utf8 = name.utf8.prefix(255)
        append(UInt8(utf8.count))
        append(contentsOf: utf8)
    }

    fileprivate mutating func append(_ value: StateValue) {
        switch value {
        case .number(let number):
            append(1)
            append(littleEndian: number)
        case .numbers(let numbers):
            append(2)
            append(littleEndian: UInt32(clamping: numbers.count))
            reserveCapacity(count + 8 * numbers.count)
            for number in numbers { append(littleEndian: number) }
        case .bytes(let bytes):
            append(3)
            append(littleEndian: UInt32(clamping: bytes.count))
            append(contentsOf: bytes)
        case .text(let text):
            append(4)
            append(littleEndian: UInt32(clamping: text.utf8.count))
            append(contentsOf: text.utf8)
        }
    }
}

/// Reads bytes that somebody else made.
private struct ByteReader {
    private let source: [UInt8]
    private(set) var offset: Int
    private let end: Int

    init(_ source: [UInt8]) {
        self.init(source, 0..<source.count)
    }

    private init(_ source: [UInt8], _ range: Range<Int>) {
        self.source = source
        offset = range.lowerBound
        end = range.upperBound
    }

    var isAtEnd: Bool { offset == end }

    /// The range of the next bytes, which are passed.
    private mutating func take(_ count: Int) throws(StateCodingError) -> Range<Int> {
        guard count <= end - offset else { throw StateCodingError(offset: offset, .truncated) }
        defer { offset += count }
        return offset..<(offset + count)
    }

    mutating func integer<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type = Number.self
    ) throws(StateCodingError) -> Number {
        let range = try take(Number.bitWidth / 8)
        return source.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: range.lowerBound, as: Number.self))
        }
    }

    mutating func integers(_ count: Int) throws(StateCodingError) -> [UInt64] {
        let range = try take(8 * count)
        return source.withUnsafeBytes { bytes in
            Array(unsafeUninitializedCapacity: count) { room, filled in
                // SAFETY: there is room for `count` numbers, and `take` has seen that there are 8 bytes for each.
                for index in 0..<count {
                    let offset = range.lowerBound + 8 * index
                    let number = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                    room.initializeElement(at: index, to: number)
                }
                filled = count
            }
        }
    }

    /// How many elements follow, which have at least so many bytes each.
    mutating func count(of size: Int = 1) throws(StateCodingError) -> Int {
        let start = offset
        let count = Int(try integer(UInt32.self))
        guard count <= (end - offset) / size else { throw StateCodingError(offset: start, .truncated) }
        return count
    }

    mutating func bytes(_ count: Int) throws(StateCodingError) -> [UInt8] {
        Array(source[try take(count)])
    }

    mutating func slice(_ count: Int) throws(StateCodingError) -> ByteReader {
        ByteReader(source, try take(count))
    }

    mutating func text(_ count: Int) throws(StateCodingError) -> String {
        let start = offset
        let range = try take(count)
        let text = source.withUnsafeBufferPointer { source in
            let utf8 = UnsafeBufferPointer(rebasing: source[range])
            // As nearly all of it is: this needs no second look.
            guard !utf8.allSatisfy({ $0 < 0x80 }) else { return String(decoding: utf8, as: UTF8.self) as String? }
            return String(validating: utf8, as: UTF8.self)
        }
        guard let text else { throw StateCodingError(offset: start, .notUTF8) }
        return text
    }

    mutating func name() throws(StateCodingError) -> String {
        try text(Int(try integer(UInt8.self)))
    }
}
