/// Reading what people write: whatever is not as it should be is an error that names the key and says what may be there.
extension Decoder {
    /// - Throws: `DecodingError`, which lists the keys there are, where an object has another one.
    package func rejectUnknownKeys(_ known: [String]) throws {
        let container = try container(keyedBy: AnyKey.self)
        guard let unknown = container.allKeys.first(where: { !known.contains($0.stringValue) }) else { return }
        throw DecodingError.dataCorruptedError(
            forKey: unknown, in: container,
            debugDescription: "is not a key; the keys are \(known.joined(separator: ", "))")
    }
}

extension KeyedDecodingContainer {
    /// One of the named choices, or nil where the key is missing or null; an error lists them.
    package func decodeChoice<Choice: CaseIterable & RawRepresentable<String>>(
        _ type: Choice.Type, forKey key: Key
    ) throws -> Choice? {
        guard contains(key), try !decodeNil(forKey: key) else { return nil }
        if let name = try? decode(String.self, forKey: key), let choice = Choice(rawValue: name) { return choice }
        let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "has to be one of \(names)")
    }

    /// An integer, within bounds if there are any, or nil where the key is missing or null.
    package func decodeInteger(forKey key: Key, in bounds: ClosedRange<Int>? = nil) throws -> Int? {
        guard contains(key), try !decodeNil(forKey: key) else { return nil }
        if let number = try? decode(Int.self, forKey: key), bounds?.contains(number) ?? true { return number }
        let limits = bounds.map { " from \($0.lowerBound) to \($0.upperBound)" } ?? ""
        throw DecodingError.dataCorruptedError(
            forKey: key, in: self, debugDescription: "has to be an integer\(limits)")
    }
}

private struct AnyKey: CodingKey {
    let stringValue: String
    let intValue: Int? = nil

    init(stringValue: String) {
        self.stringValue = stringValue
    }

    init?(intValue: Int) {
        nil
    }
}
