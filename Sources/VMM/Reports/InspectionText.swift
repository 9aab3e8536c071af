import VMBoot
import VMRegions

/// All about the guest's memory, as a tree for people.
struct InspectionText: CustomStringConvertible {
    private let inspection: RegionInspection

    init(_ inspection: RegionInspection) {
        self.inspection = inspection
    }

    var description: String {
        let policy = inspection.policy.rawValue
        var lines = ["vmm: guest memory: \(policy) regions in \(inspection.addressWidth)-bit addresses"]
        for orphan in inspection.orphans {
            lines.append("  region \(orphan.id) \"\(orphan.name)\" could not be removed yet".escapingControlCharacters)
        }
        if let change = inspection.unfinished {
            let text =
                "  a change has still to be taken back: \(change.failure); going back failed: \(change.restoring)"
            lines.append(text.escapingControlCharacters)
        }
        lines += section("regions", regions)
        lines += section("view", view)
        lines += section("backings", backings)
        for partition in inspection.partitions { lines += section("partition \(partition.name)", slots(of: partition)) }
        lines += section("counters", counters)
        return lines.joined(separator: "\n")
    }

    private func section(_ title: String, _ table: TextTable) -> [String] {
        ["  \(title)".escapingControlCharacters] + table.lines.map { "    " + $0 }
    }

    // MARK: Sections

    private var regions: TextTable {
        var table = TextTable(rightAligned: [2])
        for region in inspection.regions {
            let state = region.parameters.map(PieceText.flags) ?? "not mapped"
            let visible = PieceText.size(region.visibleByteCount)
            let words = "priority \(region.priority), \(visible) visible"
            table.append([region.name] + PieceText.columns(region.range) + [state, words])
            for mapping in region.mappings {
                let flags = mapping.writable ? "rw" : "r-"
                table.append(
                    ["  mapping"] + PieceText.columns(mapping.range)
                        + [flags, PieceText.place(mapping.backing, mapping.backingOffset)])
            }
        }
        return table
    }

    private var view: TextTable {
        var table = TextTable(rightAligned: [1])
        for piece in inspection.view { table.append(PieceText.columns(piece)) }
        return table
    }

    private var backings: TextTable {
        var table = TextTable(rightAligned: [1])
        for backing in inspection.backings {
            var words = [backing.writable ? "writable" : "read-only"]
            words.append(backing.shareable ? "shareable" : "each page in one place")
            words.append("\(PieceText.size(backing.parkedByteCount)) parked")
            words.append("\(backing.dirtyPageCount) dirty pages")
            table.append([backing.name, PieceText.size(backing.byteCount), words.joined(separator: ", ")])
        }
        return table
    }

    private func slots(of partition: PartitionInspection) -> TextTable {
        var table = TextTable(rightAligned: [2])
        for slot in partition.slots {
            table.append(["slot \(slot.number)"] + PieceText.columns(slot.range) + [slot.writable ? "rw" : "r-"])
        }
        let counters = partition.counters.sorted { $0.key < $1.key }
        table.append([counters.map { "\($0.key) \($0.value)" }.joined(separator: ", ")])
        return table
    }

    private var counters: TextTable {
        let counters = inspection.counters
        let words =
            "changes \(counters.changes), unmaps \(counters.unmaps), maps \(counters.maps), "
            + "hostOperations \(counters.hostOperations), refused \(counters.refused), failed \(counters.failed)"
        var table = TextTable()
        table.append([words])
        return table
    }
}
