import Glibc

/// Takes the fields of a part into a record, or sets them from one that somebody else may have made.
public struct StateArchive {
    /// What is read; nil where fields are taken.
    private let record: StateRecord?
    /// The next field to read.
    private var index = 0
    /// What was taken.
    private(set) var fields: [StateField] = []

    /// Takes fields.
    init() {
        record = nil
    }

    /// Sets fields.
    init(reading record: StateRecord) {
        self.record = record
    }

    /// - Throws: where fields are left over.
    func finish() throws(StateError) {
        guard let record, index < record.fields.count else { return }
        throw StateError(record, .unknownField(record.fields[index].name))
    }

    /// The error for a value that a part cannot have.
    public func refusal(_ name: StaticString, _ why: String) -> StateError {
        StateError(record, .value(field: String(name), why))
    }

    // MARK: Values

    // All throw `StateError` where the value that is there is not of that kind, not within the bounds, or has another name.

    public mutating func numbers(
        _ name: StaticString, _ values: inout [UInt64], count: ClosedRange<Int>
    ) throws(StateError) {
        guard let value = try exchange(name, .numbers(values)) else { return }
        guard case .numbers(let found) = value else { throw refusal(name, "is no list of numbers") }
        guard count.contains(found.count) else {
            throw refusal(name, "has \(found.count) numbers, not from \(count.lowerBound) to \(count.upperBound)")
        }
        values = found
    }

    public mutating func bytes(
        _ name: StaticString, _ bytes: inout [UInt8], count: ClosedRange<Int>
    ) throws(StateError) {
        guard let value = try exchange(name, .bytes(bytes)) else { return }
        guard case .bytes(let found) = value else { throw refusal(name, "is no bytes") }
        guard count.contains(found.count) else {
            throw refusal(name, "has \(found.count) bytes, not from \(count.lowerBound) to \(count.upperBound)")
        }
        bytes = found
    }

    public mutating func text(_ name: StaticString, _ text: inout String) throws(StateError) {
        guard let value = try exchange(name, .text(text)) else { return }
        guard case .text(let found) = value else { throw refusal(name, "is no text") }
        text = found
    }

    @usableFromInline
    mutating func unsigned(
        _ name: StaticString, _ number: UInt64, from lowest: UInt64, to highest: UInt64
    ) throws(StateError) -> UInt64 {
        guard let found = try bits(name, number) else { return number }
        guard found >= lowest, found <= highest else {
            throw refusal(name, "\(found) is not from \(lowest) to \(highest)")
        }
        return found
    }

    /// Negative numbers are there with their sign, in 64 bits.
    @usableFromInline
    mutating func signed(
        _ name: StaticString, _ number: Int64, from lowest: Int64, to highest: Int64
    ) throws(StateError) -> Int64 {
        guard let found = try bits(name, UInt64(bitPattern: number)).map(Int64.init(bitPattern:)) else { return number }
        guard found >= lowest, found <= highest else {
            throw refusal(name, "\(found) is not from \(lowest) to \(highest)")
        }
        return found
    }

    /// - Returns: nil where they were taken.
    private mutating func bits(_ name: StaticString, _ bits: UInt64) throws(StateError) -> UInt64? {
        guard let value = try exchange(name, .number(bits)) else { return nil }
        guard case .number(let found) = value else { throw refusal(name, "is no number") }
        return found
    }

    /// - Returns: what is there; nil where `value` was taken.
    private mutating func exchange(
        _ name: StaticString, _ value: @autoclosure () -> StateValue
    ) throws(StateError) -> StateValue? {
        guard let record else {
            fields.append(StateField(String(name), value()))
            return nil
        }
        guard index < record.fields.count else { throw StateError(record, .missingField(String(name))) }
        let field = record.fields[index]
        guard field.name == name else { throw StateError(record, .otherField(field.name, expected: String(name))) }
        index += 1
        return field.value
    }
}

// MARK: Values as the program has them

extension StateArchive {
    /// - Parameter value: of 64 bits at most.
    @inlinable
    public mutating func number<Number: FixedWidthInteger>(
        _ name: StaticString, _ value: inout Number, in bounds: ClosedRange<Number>
    ) throws(StateError) {
        if Number.isSigned {
            value = Number(
                truncatingIfNeeded: try signed(
                    name, Int64(truncatingIfNeeded: value), from: Int64(truncatingIfNeeded: bounds.lowerBound),
                    to: Int64(truncatingIfNeeded: bounds.upperBound)))
        } else {
            value = Number(
                truncatingIfNeeded: try unsigned(
                    name, UInt64(truncatingIfNeeded: value), from: UInt64(truncatingIfNeeded: bounds.lowerBound),
                    to: UInt64(truncatingIfNeeded: bounds.upperBound)))
        }
    }

    @inlinable
    public mutating func number<Number: FixedWidthInteger>(
        _ name: StaticString, _ value: inout Number
    ) throws(StateError) {
        try number(name, &value, in: Number.min...Number.max)
    }

    public mutating func flag(_ name: StaticString, _ value: inout Bool) throws(StateError) {
        value = try unsigned(name, value ? 1 : 0, from: 0, to: 1) == 1
    }

    /// One of several, by its number.
    @inlinable
    public mutating func choice<Choice: RawRepresentable>(
        _ name: StaticString, _ value: inout Choice
    ) throws(StateError) where Choice.RawValue: FixedWidthInteger {
        var number = value.rawValue
        try self.number(name, &number)
        guard let choice = Choice(rawValue: number) else { throw refusal(name, "\(number) is none of its values") }
        value = choice
    }

    /// One of several, by its name.
    @inlinable
    public mutating func choice<Choice: RawRepresentable<String>>(
        _ name: StaticString, _ value: inout Choice
    ) throws(StateError) {
        var text = value.rawValue
        try self.text(name, &text)
        guard let choice = Choice(rawValue: text) else { throw refusal(name, "\"\(text)\" is none of its values") }
        value = choice
    }

    /// A set of flags, by its number.
    @inlinable
    public mutating func flags<Flags: OptionSet>(
        _ name: StaticString, _ value: inout Flags, in all: Flags
    ) throws(StateError) where Flags.RawValue: FixedWidthInteger, Flags.Element == Flags {
        var number = value.rawValue
        try self.number(name, &number)
        let flags = Flags(rawValue: number)
        guard all.isSuperset(of: flags) else { throw refusal(name, "\(number) has flags that are not known") }
        value = flags
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

    fileprivate static func == (text: String, name: StaticString) -> Bool {
        let isEqual = text.utf8.withContiguousStorageIfAvailable { utf8 in
            guard utf8.count == name.utf8.count, let bytes = utf8.baseAddress else { return false }
            return memcmp(bytes, name.utf8Start, utf8.count) == 0
        }
        return isEqual ?? text.utf8.elementsEqual(name.utf8)
    }
}
