import VMAddressSpace
import VMRegions
import VMState

/// The regions of a machine and what their memory comes from, as records and back.
struct SavedLayout {
    /// By number.
    var backings: [SavedBacking] = []
    /// The oldest first.
    var regions: [SavedRegion] = []

    /// - Parameters:
    ///   - definitions: the oldest first.
    ///   - backings: all that they have memory of, in the order of their numbers.
    init(_ definitions: [RegionDefinition], _ backings: [RegionBacking]) {
        self.backings = backings.map(SavedBacking.init)
        regions = definitions.map { SavedRegion($0, backings) }
    }

    /// - Throws: `StateError` for a region whose memory is not in its backing; that the regions make sense otherwise is checked
    ///   by the manager that gets them.
    init(_ state: MachineState) throws(StateError) {
        backings = try state.parts()
        regions = try state.parts()
        for (index, region) in regions.enumerated() {
            for number in region.backingNumbers where number >= backings.count {
                throw StateError(
                    region.record(index), .value(field: "mappings", "names backing \(number) of \(backings.count)"))
            }
        }
    }

    func append(to state: inout MachineState) {
        for (index, backing) in backings.enumerated() { state.append(backing, index) }
        for (index, region) in regions.enumerated() { state.append(region, index) }
    }

    /// As a manager takes them.
    /// - Parameter made: the backings, in the order of their numbers.
    func definitions(_ made: [RegionBacking]) throws(MachineError) -> [RegionDefinition] {
        var definitions: [RegionDefinition] = []
        for (index, region) in regions.enumerated() {
            let range: MemoryRange
            do throws(MemoryRangeError) {
                range = try MemoryRange(from: GuestAddress(region.start), through: GuestAddress(region.last))
            } catch {
                throw .state(StateError(region.record(index), .value(field: "last", "\(error)")))
            }
            definitions.append(region.definition(range, made))
        }
        return definitions
    }
}

extension SavedBacking {
    fileprivate init(_ backing: RegionBacking) {
        self.init()
        name = backing.name
        byteCount = backing.byteCount
        isShareable = backing.isShareable
        usesTransparentHugePages = backing.usesTransparentHugePages
    }
}

extension SavedRegion {
    fileprivate init(_ definition: RegionDefinition, _ backings: [RegionBacking]) {
        name = definition.name
        start = definition.range.start.rawValue
        last = definition.range.last.rawValue
        priority = definition.priority
        isMapped = definition.parameters != nil
        isWritable = definition.parameters?.isWritable ?? false
        isExecutable = definition.parameters?.isExecutable ?? false
        prefetch = definition.parameters?.prefetch ?? false
        for memory in definition.memory {
            guard let number = backings.firstIndex(where: { $0 === memory.backing }) else { continue }
            mappings += [
                memory.offset, memory.count, UInt64(number), memory.backingOffset, memory.isWritable ? 1 : 0,
            ]
        }
    }

    fileprivate var backingNumbers: some Sequence<UInt64> {
        stride(from: 2, to: mappings.count, by: Self.mappingFields).lazy.map { mappings[$0] }
    }

    /// - Parameter backings: those whose numbers its mappings have.
    fileprivate func definition(_ range: MemoryRange, _ backings: [RegionBacking]) -> RegionDefinition {
        var memory: [RegionDefinition.Memory] = []
        for first in stride(from: 0, to: mappings.count, by: Self.mappingFields) {
            let fields = Array(mappings[first..<(first + Self.mappingFields)])
            memory.append(
                RegionDefinition.Memory(
                    offset: fields[0], count: fields[1], of: backings[Int(fields[2])], backingOffset: fields[3],
                    isWritable: fields[4] != 0))
        }
        let parameters = MapParameters(isWritable: isWritable, isExecutable: isExecutable, prefetch: prefetch)
        return RegionDefinition(
            name, range, priority: priority, memory: memory, parameters: isMapped ? parameters : nil)
    }
}
