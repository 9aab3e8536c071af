/// What takes the fields of a part, or sets them.
public protocol StateArchive {
    /// - Throws: `StateError`, where the value that is there is not of that kind, not within the bounds, or has another name.
    mutating func number<Number: FixedWidthInteger>(
        _ name: StaticString, _ value: inout Number, in bounds: ClosedRange<Number>) throws(StateError)
    mutating func numbers(
        _ name: StaticString, _ values: inout [UInt64], count: ClosedRange<Int>) throws(StateError)
    mutating func bytes(_ name: StaticString, _ bytes: inout [UInt8], count: ClosedRange<Int>) throws(StateError)
    mutating func text(_ name: StaticString, _ text: inout String) throws(StateError)
}

extension StateArchive {
    public mutating func number<Number: FixedWidthInteger>(
        _ name: StaticString, _ value: inout Number
    ) throws(StateError) {
        try number(name, &value, in: Number.min...Number.max)
    }

    public mutating func flag(_ name: StaticString, _ value: inout Bool) throws(StateError) {
        var number: UInt8 = value ? 1 : 0
        try self.number(name, &number, in: 0...1)
        value = number == 1
    }

    /// One of several, by its number.
    public mutating func choice<Choice: RawRepresentable>(
        _ name: StaticString, _ value: inout Choice
    ) throws(StateError) where Choice.RawValue: FixedWidthInteger {
        var number = value.rawValue
        try self.number(name, &number)
        guard let choice = Choice(rawValue: number) else { throw refusal(name, "\(number) is none of its values") }
        value = choice
    }

    /// One of several, by its name.
    public mutating func choice<Choice: RawRepresentable<String>>(
        _ name: StaticString, _ value: inout Choice
    ) throws(StateError) {
        var text = value.rawValue
        try self.text(name, &text)
        guard let choice = Choice(rawValue: text) else { throw refusal(name, "\"\(text)\" is none of its values") }
        value = choice
    }

    /// A set of flags, by its number.
    public mutating func flags<Flags: OptionSet>(
        _ name: StaticString, _ value: inout Flags, in all: Flags
    ) throws(StateError) where Flags.RawValue: FixedWidthInteger, Flags.Element == Flags {
        var number = value.rawValue
        try self.number(name, &number)
        let flags = Flags(rawValue: number)
        guard all.isSuperset(of: flags) else { throw refusal(name, "\(number) has flags that are not known") }
        value = flags
    }

    /// The error for a value that a part cannot have.
    public func refusal(_ name: StaticString, _ why: String) -> StateError {
        StateError(nil, .value(field: String(name), why))
    }
}

/// Takes fields into a record.
struct StateSaver: StateArchive {
    private(set) var fields: [StateField] = []

    mutating func number<Number: FixedWidthInteger>(
        _ name: StaticString, _ value: inout Number, in bounds: ClosedRange<Number>
    ) {
        fields.append(StateField(String(name), .number(UInt64(truncatingIfNeeded: value))))
    }

    mutating func numbers(_ name: StaticString, _ values: inout [UInt64], count: ClosedRange<Int>) {
        fields.append(StateField(String(name), .numbers(values)))
    }

    mutating func bytes(_ name: StaticString, _ bytes: inout [UInt8], count: ClosedRange<Int>) {
        fields.append(StateField(String(name), .bytes(bytes)))
    }

    mutating func text(_ name: StaticString, _ text: inout String) {
        fields.append(StateField(String(name), .text(text)))
    }
}

/// Sets fields from a record that somebody else may have made.
struct StateLoader: StateArchive {
    private let record: StateRecord
    private var index = 0

    init(_ record: StateRecord) {
        self.record = record
    }

    mutating func number<Number: FixedWidthInteger>(
        _ name: StaticString, _ value: inout Number, in bounds: ClosedRange<Number>
    ) throws(StateError) {
        guard case .number(let bits) = try next(name) else { throw refusal(name, "is no number") }
        // Negative numbers are there with their sign, in 64 bits.
        let number =
            Number.isSigned ? Number(exactly: Int64(bitPattern: bits)) : Number(exactly: bits)
        guard let number, bounds.contains(number) else {
            throw refusal(name, "\(bits) is not from \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        value = number
    }

    mutating func numbers(
        _ name: StaticString, _ values: inout [UInt64], count: ClosedRange<Int>
    ) throws(StateError) {
        guard case .numbers(let found) = try next(name) else { throw refusal(name, "is no list of numbers") }
        guard count.contains(found.count) else {
            throw refusal(name, "has \(found.count) numbers, not from \(count.lowerBound) to \(count.upperBound)")
        }
        values = found
    }

    mutating func bytes(
        _ name: StaticString, _ bytes: inout [UInt8], count: ClosedRange<Int>
    ) throws(StateError) {
        guard case .bytes(let found) = try next(name) else { throw refusal(name, "is no bytes") }
        guard count.contains(found.count) else {
            throw refusal(name, "has \(found.count) bytes, not from \(count.lowerBound) to \(count.upperBound)")
        }
        bytes = found
    }

    mutating func text(_ name: StaticString, _ text: inout String) throws(StateError) {
        guard case .text(let found) = try next(name) else { throw refusal(name, "is no text") }
        text = found
    }

    func refusal(_ name: StaticString, _ why: String) -> StateError {
        StateError(record, .value(field: String(name), why))
    }

    /// - Throws: where fields are left over.
    func finish() throws(StateError) {
        guard index == record.fields.count else {
            throw StateError(record, .unknownField(record.fields[index].name))
        }
    }

    private mutating func next(_ name: StaticString) throws(StateError) -> StateValue {
        guard index < record.fields.count else { throw StateError(record, .missingField(String(name))) }
        let field = record.fields[index]
        guard field.name.utf8.elementsEqual(name.utf8) else {
            throw StateError(record, .otherField(field.name, expected: String(name)))
        }
        index += 1
        return field.value
    }
}

extension StaticString {
    /// It has to be written with more than one character.
    fileprivate var utf8: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount) }
}

extension String {
    fileprivate init(_ name: StaticString) {
        self.init(decoding: name.utf8, as: UTF8.self)
    }
}
