import VMAddressSpace
import VMMachine
import VMRegions

/// A JSON object. A key that is not known is an error; what is left out is as the reference in `README.md` says.
extension PlanFile: Decodable {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case policy, addressWidth, backings, regions, changes
    }

    init(from decoder: any Decoder) throws {
        try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        policy = try container.decodeChoice(OverlapPolicy.self, forKey: .policy) ?? .layered
        addressWidth = try container.decodeInteger(forKey: .addressWidth, in: 12...64) ?? 64
        backings = try container.decodeIfPresent([Backing].self, forKey: .backings)?.map(\.description) ?? []
        regions = try container.decodeIfPresent([Region].self, forKey: .regions) ?? []
        changes = try container.decodeIfPresent([Step].self, forKey: .changes) ?? []
    }
}

/// A backing in the words of the file.
private struct Backing: Decodable {
    let description: BackingDescription

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, size, readOnly, shareable
    }

    init(from decoder: any Decoder) throws {
        try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        description = BackingDescription(
            name: try container.decode(String.self, forKey: .name),
            byteCount: try container.decode(ByteSize.self, forKey: .size).bytes,
            isWritable: try container.decodeIfPresent(Bool.self, forKey: .readOnly) != true,
            isShareable: try container.decodeIfPresent(Bool.self, forKey: .shareable) ?? true)
    }
}

extension PlanFile.Region: Decodable {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case name, start, size, priority, map, mappings
    }

    init(from decoder: any Decoder) throws {
        try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        let container = try decoder.container(keyedBy: CodingKeys.self)
        name = try container.decode(String.self, forKey: .name)
        start = try container.decode(HexAddress.self, forKey: .start).address
        size = try container.decode(ByteSize.self, forKey: .size).bytes
        priority = UInt8(clamping: try container.decodeInteger(forKey: .priority, in: 0...255) ?? 0)
        let state = try container.decodeIfPresent(MapState.self, forKey: .map) ?? .mapped(MapParameters())
        parameters = state.parameters
        mappings = try container.decodeIfPresent([PlanFile.Mapping].self, forKey: .mappings) ?? []
    }
}

/// Whether a region is mapped, and how: `true`, `false`, or an object.
private enum MapState: Decodable {
    case mapped(MapParameters)
    case notMapped

    var parameters: MapParameters? {
        guard case .mapped(let parameters) = self else { return nil }
        return parameters
    }

    init(from decoder: any Decoder) throws {
        if let isMapped = try? decoder.singleValueContainer().decode(Bool.self) {
            self = isMapped ? .mapped(MapParameters()) : .notMapped
            return
        }
        guard let container = try? decoder.container(keyedBy: MapParameters.Key.self) else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(
                    codingPath: decoder.codingPath, debugDescription: "has to be true, false or an object"))
        }
        try decoder.rejectUnknownKeys(MapParameters.Key.allCases.map(\.rawValue))
        self = .mapped(
            try MapParameters(
                isWritable: container.decodeIfPresent(Bool.self, forKey: .writable),
                isExecutable: container.decodeIfPresent(Bool.self, forKey: .executable),
                prefetch: container.decodeIfPresent(Bool.self, forKey: .prefetch)))
    }
}

extension MapParameters {
    fileprivate enum Key: String, CodingKey, CaseIterable {
        case writable, executable, prefetch
    }

    /// What is nil is as usual: everything is allowed, and nothing is prefetched.
    init(isWritable: Bool?, isExecutable: Bool?, prefetch: Bool?) {
        self.init(
            isWritable: isWritable ?? true, isExecutable: isExecutable ?? true, prefetch: prefetch ?? false)
    }
}

extension PlanFile.Mapping: Decodable {
    private enum CodingKeys: String, CodingKey, CaseIterable {
        case offset, size, backing, backingOffset, writable
    }

    init(from decoder: any Decoder) throws {
        try decoder.rejectUnknownKeys(CodingKeys.allCases.map(\.rawValue))
        try self.init(membersOf: decoder)
    }

    /// From an object that may have other keys as well.
    init(membersOf decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        offset = try container.decodeIfPresent(ByteSize.self, forKey: .offset)?.bytes ?? 0
        size = try container.decodeIfPresent(ByteSize.self, forKey: .size)?.bytes
        backing = try container.decode(String.self, forKey: .backing)
        backingOffset = try container.decodeIfPresent(ByteSize.self, forKey: .backingOffset)?.bytes ?? 0
        isWritable = try container.decodeIfPresent(Bool.self, forKey: .writable)
    }
}
