import VMBoot

/// A JSON object with the property names as keys, all optional; an unknown key is an error that names it.
extension MachineConfiguration: Decodable {
    public init(from decoder: any Decoder) throws {
        try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        // Where it is missing, whoever decodes may have it from elsewhere; a machine does not start without.
        self.init(guest: try container.decodeIfPresent(String.self, forKey: .guest) ?? "")
        format = try container.decodeChoice(ImageFormat.self, forKey: .format)
        loadAddress = try container.decodeIfPresent(HexAddress.self, forKey: .loadAddress)
        entry = try container.decodeIfPresent(HexAddress.self, forKey: .entry)
        commandLine = try container.decodeIfPresent(String.self, forKey: .commandLine)
        arguments = try container.decodeIfPresent([String].self, forKey: .arguments) ?? arguments
        modules = try container.decodeIfPresent([Module].self, forKey: .modules) ?? modules
        memory = try container.decodeIfPresent(ByteSize.self, forKey: .memory) ?? memory
        roms = try container.decodeIfPresent([ROM].self, forKey: .roms) ?? roms
        cpus = try container.decodeCount(forKey: .cpus) ?? cpus
        irqchip = try container.decodeChoice(IRQChip.self, forKey: .irqchip) ?? irqchip
        pit = try container.decodeIfPresent(Bool.self, forKey: .pit) ?? pit
        timeout = try container.decodeIfPresent(TimeLimit.self, forKey: .timeout)
        kvmDevice = try container.decodeIfPresent(String.self, forKey: .kvmDevice) ?? kvmDevice
    }
}

extension MachineConfiguration.Module: Decodable {
    public init(from decoder: any Decoder) throws {
        try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            path: try container.decode(String.self, forKey: .path),
            commandLine: try container.decodeIfPresent(String.self, forKey: .commandLine))
    }
}

extension MachineConfiguration.ROM: Decodable {
    public init(from decoder: any Decoder) throws {
        try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            path: try container.decode(String.self, forKey: .path),
            address: try container.decode(HexAddress.self, forKey: .address))
    }
}

extension Decoder {
    fileprivate func rejectUnknownKeys(_ known: [String]) throws {
        let container = try container(keyedBy: AnyKey.self)
        guard let unknown = container.allKeys.first(where: { !known.contains($0.stringValue) }) else { return }
        throw DecodingError.dataCorruptedError(
            forKey: unknown, in: container,
            debugDescription: "is not a key; the keys are \(known.joined(separator: ", "))")
    }
}

extension KeyedDecodingContainer {
    /// One of the named choices; an error lists them.
    fileprivate func decodeChoice<Choice: CaseIterable & RawRepresentable<String>>(
        _ type: Choice.Type, forKey key: Key
    ) throws -> Choice? {
        guard contains(key), try !decodeNil(forKey: key) else { return nil }
        if let name = try? decode(String.self, forKey: key), let choice = Choice(rawValue: name) { return choice }
        let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "has to be one of \(names)")
    }

    fileprivate func decodeCount(forKey key: Key) throws -> Int? {
        guard contains(key), try !decodeNil(forKey: key) else { return nil }
        if let count = try? decode(Int.self, forKey: key) { return count }
        throw DecodingError.dataCorruptedError(forKey: key, in: self, debugDescription: "has to be an integer")
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
