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
        symbols = try container.decodeIfPresent(String.self, forKey: .symbols)
        modules = try container.decodeIfPresent([Module].self, forKey: .modules) ?? modules
        memory = try container.decodeIfPresent(ByteSize.self, forKey: .memory) ?? memory
        roms = try container.decodeIfPresent([ROM].self, forKey: .roms) ?? roms
        cpus = try container.decodeInteger(forKey: .cpus) ?? cpus
        irqchip = try container.decodeChoice(IRQChip.self, forKey: .irqchip) ?? irqchip
        pit = try container.decodeIfPresent(Bool.self, forKey: .pit) ?? pit
        dirtyTracking = try container.decodeChoice(DirtyTracking.self, forKey: .dirtyTracking) ?? dirtyTracking
        dirtyRingSize = try container.decodeInteger(forKey: .dirtyRingSize)
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
