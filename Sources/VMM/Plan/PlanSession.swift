import VMAddressSpace
import VMMachine
import VMRegions

/// A planner whose regions and backings have the names of a file.
struct PlanSession {
    private(set) var planner: RegionPlanner
    private var backings: [String: BackingID] = [:]
    private var regions: [String: RegionID] = [:]

    /// With the file's backings, and no regions yet.
    init(_ file: PlanFile) throws(PlanRefusal) {
        planner = RegionPlanner(policy: file.policy, addressWidth: file.addressWidth)
        for (index, backing) in file.backings.enumerated() {
            guard backings[backing.name] == nil else {
                throw PlanRefusal("backings[\(index)].name", "there is a backing \"\(backing.name)\" already")
            }
            backings[backing.name] = planner.addBacking(backing)
        }
    }

    /// Makes changes, all or nothing.
    /// - Throws: `PlanRefusal`, of the first change that cannot be made.
    mutating func plan(_ changes: [PlacedChange]) throws(PlanRefusal) -> RegionPlan {
        let numbers = changes.map { _ in planner.makeRegionID() }
        // One by one first, on a copy: it finds which of them cannot be made, and what names mean to those after it.
        var trial = self
        var resolved: [RegionChange] = []
        for (change, number) in zip(changes, numbers) {
            for (path, part) in try trial.resolve(change, number) {
                try trial.make([part], path)
                resolved.append(part)
            }
            trial.rename(change.change, number)
        }
        let plan = try make(resolved, "")
        regions = trial.regions
        return plan
    }

    @discardableResult
    private mutating func make(_ changes: [RegionChange], _ path: String) throws(PlanRefusal) -> RegionPlan {
        do throws(RegionError) {
            return try planner.plan(changes)
        } catch {
            throw PlanRefusal(path, "\(error)")
        }
    }

    private mutating func rename(_ change: PlanFile.Change, _ number: RegionID) {
        switch change {
        case .add(let region): regions[region.name] = number
        case .remove(let name): regions[name] = nil
        case .map, .unmap, .addMapping, .removeMappings, .move, .resize: break
        }
    }
}

// MARK: Names to numbers

extension PlanSession {
    /// A change in the planner's terms.
    /// - Parameter number: for a new region.
    private func resolve(
        _ change: PlacedChange, _ number: RegionID
    ) throws(PlanRefusal) -> [(path: String, change: RegionChange)] {
        let path = change.path
        switch change.change {
        case .add(let region):
            return try resolve(region, number, path)
        case .remove(let name):
            return [(path, .remove(try region(name, path + ".remove")))]
        case .map(let name, let parameters):
            return [(path, .map(try region(name, path + ".map"), parameters))]
        case .unmap(let name):
            return [(path, .unmap(try region(name, path + ".unmap")))]
        case .addMapping(let name, let mapping):
            let id = try region(name, path + ".addMapping")
            return [(path, .addMapping(id, try resolve(mapping, size(of: id), path)))]
        case .removeMappings(let name, let offset, let size):
            let id = try region(name, path + ".removeMappings")
            let count = try Self.count(size, at: offset, in: self.size(of: id), path)
            return [(path, .removeMappings(id, offset: offset, count: count))]
        case .move(let name, let address):
            return [(path, .move(try region(name, path + ".move"), to: address))]
        case .resize(let name, let size):
            return [(path, .resize(try region(name, path + ".resize"), count: size))]
        }
    }

    private func resolve(
        _ region: PlanFile.Region, _ id: RegionID, _ path: String
    ) throws(PlanRefusal) -> [(path: String, change: RegionChange)] {
        guard regions[region.name] == nil else {
            throw PlanRefusal(path + ".name", "there is a region \"\(region.name)\" already")
        }
        let range: MemoryRange
        do throws(MemoryRangeError) {
            range = try MemoryRange(start: region.start, count: region.size)
        } catch {
            throw PlanRefusal(path, "\(RegionError.badRange(region.name, error))")
        }
        var changes = [(path, RegionChange.add(id, name: region.name, range: range, priority: region.priority))]
        for (index, mapping) in region.mappings.enumerated() {
            let path = "\(path).mappings[\(index)]"
            changes.append((path, .addMapping(id, try resolve(mapping, region.size, path))))
        }
        if let parameters = region.parameters { changes.append((path, .map(id, parameters))) }
        return changes
    }

    /// - Parameter size: the region's, in bytes.
    private func resolve(
        _ mapping: PlanFile.Mapping, _ size: UInt64, _ path: String
    ) throws(PlanRefusal) -> RegionMapping {
        guard let backing = backings[mapping.backing] else {
            throw PlanRefusal(path + ".backing", "there is no backing \"\(mapping.backing)\"")
        }
        let count = try Self.count(mapping.size, at: mapping.offset, in: size, path)
        return RegionMapping(
            offset: mapping.offset, count: count, backing: backing, backingOffset: mapping.backingOffset,
            isWritable: mapping.isWritable ?? planner.backing(backing)?.isWritable ?? false)
    }

    private func region(_ name: String, _ path: String) throws(PlanRefusal) -> RegionID {
        guard let id = regions[name] else { throw PlanRefusal(path, "there is no region \"\(name)\"") }
        return id
    }

    /// In bytes.
    private func size(of region: RegionID) -> UInt64 { planner.region(region)?.range.count ?? 0 }

    /// The bytes asked for, or those that are left of a region.
    private static func count(
        _ count: UInt64?, at offset: UInt64, in size: UInt64, _ path: String
    ) throws(PlanRefusal) -> UInt64 {
        if let count { return count }
        guard offset < size else {
            throw PlanRefusal(
                path + ".offset", "\(GuestAddress(offset)) is not in the region, which has \(ByteSize(bytes: size))")
        }
        return size - offset
    }
}

/// Why changes cannot be made, and where in the file that is.
struct PlanRefusal: Error, Encodable, CustomStringConvertible {
    let path: String
    let reason: String

    init(_ path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }

    var description: String { "\(path): \(reason)" }
}
