import VMAddressSpace
import VMMachine
import VMRegions

/// An object with one of the keys below, which names the region, and those that go with it.
extension PlanFile.Change: Decodable {
    init(from decoder: any Decoder) throws {
        let kind = try ChangeKind(of: decoder, among: ChangeKind.allCases.filter { $0 != .transaction })
        try self.init(kind, from: decoder)
    }

    fileprivate init(_ kind: ChangeKind, from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: ChangeKey.self)
        switch kind {
        case .add:
            self = .add(try container.decode(PlanFile.Region.self, forKey: .add))
        case .remove:
            self = .remove(try container.decode(String.self, forKey: .remove))
        case .map:
            let parameters = try MapParameters(
                isWritable: container.decodeIfPresent(Bool.self, forKey: .writable),
                isExecutable: container.decodeIfPresent(Bool.self, forKey: .executable),
                prefetch: container.decodeIfPresent(Bool.self, forKey: .prefetch))
            self = .map(try container.decode(String.self, forKey: .map), parameters)
        case .unmap:
            self = .unmap(try container.decode(String.self, forKey: .unmap))
        case .addMapping:
            let region = try container.decode(String.self, forKey: .addMapping)
            self = .addMapping(region, try PlanFile.Mapping(membersOf: decoder))
        case .removeMappings:
            self = .removeMappings(
                try container.decode(String.self, forKey: .removeMappings),
                offset: try container.decodeIfPresent(ByteSize.self, forKey: .offset)?.bytes ?? 0,
                size: try container.decodeIfPresent(ByteSize.self, forKey: .size)?.bytes)
        case .move:
            let region = try container.decode(String.self, forKey: .move)
            self = .move(region, to: try container.decode(HexAddress.self, forKey: .to).address)
        case .resize:
            let region = try container.decode(String.self, forKey: .resize)
            self = .resize(region, to: try container.decode(ByteSize.self, forKey: .to).bytes)
        case .transaction:
            throw DecodingError.dataCorruptedError(
                forKey: .transaction, in: container, debugDescription: "cannot be in a transaction")
        }
    }
}

extension PlanFile.Step: Decodable {
    init(from decoder: any Decoder) throws {
        let kind = try ChangeKind(of: decoder, among: ChangeKind.allCases)
        guard kind == .transaction else {
            self = .single(try PlanFile.Change(kind, from: decoder))
            return
        }
        let container = try decoder.container(keyedBy: ChangeKey.self)
        self = .transaction(try container.decode([PlanFile.Change].self, forKey: .transaction))
    }
}

private enum ChangeKey: String, CodingKey {
    case add, remove, map, unmap, addMapping, removeMappings, move, resize, transaction
    case writable, executable, prefetch
    case offset, size, backing, backingOffset
    case to
}

/// The keys that say what a change is.
private enum ChangeKind: String, CaseIterable {
    case add, remove, map, unmap, addMapping, removeMappings, move, resize, transaction

    /// The keys that go with it.
    private var details: [ChangeKey] {
        switch self {
        case .add, .remove, .unmap, .transaction: []
        case .map: [.writable, .executable, .prefetch]
        case .addMapping: [.backing, .backingOffset, .offset, .size, .writable]
        case .removeMappings: [.offset, .size]
        case .move, .resize: [.to]
        }
    }

    /// The one that an object has.
    /// - Throws: `DecodingError` where it has none or several, or a key that does not go with it.
    init(of decoder: any Decoder, among kinds: [ChangeKind]) throws {
        let container = try decoder.container(keyedBy: ChangeKey.self)
        let found = kinds.filter { kind in container.allKeys.contains { $0.rawValue == kind.rawValue } }
        guard let kind = found.first else {
            try decoder.rejectUnknownKeys(kinds.map(\.rawValue))
            throw Self.error(decoder, "is no change; it needs one of the keys \(Self.list(kinds))")
        }
        guard found.count == 1 else {
            throw Self.error(decoder, "is more than one change: \(Self.list(found)); use a transaction")
        }
        try decoder.rejectUnknownKeys([kind.rawValue] + kind.details.map(\.rawValue))
        self = kind
    }

    private static func list(_ kinds: [ChangeKind]) -> String {
        kinds.map(\.rawValue).joined(separator: ", ")
    }

    private static func error(_ decoder: any Decoder, _ message: String) -> DecodingError {
        .dataCorrupted(DecodingError.Context(codingPath: decoder.codingPath, debugDescription: message))
    }
}
