/// A page walk as a section of the report.
enum PageWalkText {
    static func section(_ title: String, _ address: UInt64, _ view: GuestView) -> CrashReport.Section {
        let walk = view.walk(address)
        let digits = walk.format.entrySize * 2
        var lines = walk.steps.map { step in
            let name = "\(step.level.rawValue)[\(step.index)]"
            return name + String(repeating: " ", count: max(1, 10 - name.count))
                + "at \(Hex.short(step.address)) = \(Hex.padded(step.entry, digits))  \(flags(step, walk.format))"
        }
        lines.append("=> " + result(walk, view))
        return CrashReport.Section(title: "\(title), \(view.name(address))", lines: lines)
    }

    private static func result(_ walk: PageWalk, _ view: GuestView) -> String {
        switch walk.result {
        case .mapped(let physical, let pageSize):
            let page = pageSize == 0 ? "paging is off" : "\(ByteSize(bytes: pageSize)) page"
            let ram = view.hasRAM(at: physical) ? "" : "; NO MEMORY THERE (RAM is \(ramText(view)))"
            return "guest-physical \(Hex.short(physical)) (\(page))\(ram)"
        case .notPresent(let level):
            return "NOT MAPPED: the \(level.rawValue) entry is not present"
        case .reservedBit(let level, let bit):
            let meaning = walk.format.meaning(ofReservedBit: bit, in: walk.steps.last?.entry ?? 0, level)
            return "RESERVED BIT SET: bit \(bit) of the \(level.rawValue) entry (\(meaning))"
        case .tableOutsideMemory(let level, let address):
            return "NOT MAPPED: the \(level.rawValue) entry would be at \(Hex.short(address)), outside memory"
        case .nonCanonical:
            return "NOT MAPPED: not a canonical address"
        }
    }

    private static func ramText(_ view: GuestView) -> String {
        view.memory.regionMap.ranges.map(\.description).joined(separator: ", ")
    }

    private static func flags(_ step: PageWalk.Step, _ format: PagingFormat) -> String {
        let entry = step.entry
        guard entry & 1 != 0 else { return "not present" }
        guard format.hasPermissions(step.level) else { return "present" }
        var words = [entry & 2 != 0 ? "writable" : "read-only", entry & 4 != 0 ? "user" : "supervisor"]
        if format.isLargePage(entry, step.level) { words.append("large page") }
        if step.level == .table, entry & 1 << 7 != 0 { words.append("PAT") }
        if format.hasNX, entry & 1 << 63 != 0 { words.append("no-execute") }
        return words.joined(separator: ", ")
    }
}
