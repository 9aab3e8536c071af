import VMAddressSpace
import VMMachine
import VMRegions

/// What `vmm plan` reads: regions, and changes to them. Names stand for numbers, and are unique.
struct PlanFile {
    struct Region {
        let name: String
        let start: GuestAddress
        /// In bytes.
        let size: UInt64
        let priority: UInt8
        /// Nil for a region that is not mapped.
        let parameters: MapParameters?
        let mappings: [Mapping]
    }

    struct Mapping {
        /// In the region, in bytes.
        let offset: UInt64
        /// In bytes; nil for what is left of the region.
        let size: UInt64?
        let backing: String
        /// In bytes.
        let backingOffset: UInt64
        /// Nil for what the backing allows.
        let isWritable: Bool?
    }

    /// One change; a region is known by its name.
    enum Change {
        case add(Region)
        case remove(String)
        case map(String, MapParameters)
        case unmap(String)
        case addMapping(String, Mapping)
        /// - Parameter size: in bytes; nil for what is left of the region.
        case removeMappings(String, offset: UInt64, size: UInt64?)
        case move(String, to: GuestAddress)
        /// - Parameter to: in bytes.
        case resize(String, to: UInt64)
    }

    /// What is planned at once.
    enum Step {
        case single(Change)
        case transaction([Change])
    }

    let policy: OverlapPolicy
    let addressWidth: Int
    let backings: [BackingDescription]
    let regions: [Region]
    let changes: [Step]
}

/// A change, and where it is in the file.
struct PlacedChange {
    let path: String
    let change: PlanFile.Change
}

extension PlanFile {
    /// The regions there are at the beginning.
    var initialChanges: [PlacedChange] {
        regions.enumerated().map { PlacedChange(path: "regions[\($0)]", change: .add($1)) }
    }
}

extension PlanFile.Step {
    /// What happens at once.
    /// - Parameter path: where the step is in the file.
    func changes(at path: String) -> [PlacedChange] {
        switch self {
        case .single(let change): [PlacedChange(in: path, change)]
        case .transaction(let changes):
            changes.enumerated().map { PlacedChange(in: "\(path).transaction[\($0)]", $1) }
        }
    }
}

extension PlacedChange {
    /// A new region is in an object of its own.
    fileprivate init(in path: String, _ change: PlanFile.Change) {
        if case .add = change {
            self.init(path: path + ".add", change: change)
        } else {
            self.init(path: path, change: change)
        }
    }
}

// MARK: As people read it

extension PlanFile.Step: CustomStringConvertible {
    var description: String {
        switch self {
        case .single(let change): "\(change)"
        case .transaction(let changes): "transaction: " + changes.map(\.description).joined(separator: ", ")
        }
    }
}

extension PlanFile.Change: CustomStringConvertible {
    /// With the words of the file.
    var description: String {
        switch self {
        case .add(let region): "add \"\(region.name)\""
        case .remove(let name): "remove \"\(name)\""
        case .map(let name, let parameters): "map \"\(name)\" \(PieceText.flags(parameters))"
        case .unmap(let name): "unmap \"\(name)\""
        case .addMapping(let name, let mapping): "addMapping of \"\(mapping.backing)\" to \"\(name)\""
        case .removeMappings(let name, _, _): "removeMappings from \"\(name)\""
        case .move(let name, let address): "move \"\(name)\" to \(address)"
        case .resize(let name, let size): "resize \"\(name)\" to \(ByteSize(bytes: size))"
        }
    }
}
