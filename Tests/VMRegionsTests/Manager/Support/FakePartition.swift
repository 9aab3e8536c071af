import VMAddressSpace
import VMHost
import VMRegions

/// A partition that is a list of pages. It complains of calls that break the protocol's promises, and fails when its log
/// says so, having changed nothing.
final class FakePartition: Partition {
    /// Guest memory as a partition sees it.
    struct Page: Hashable {
        let hostAddress: UInt
        let isWritable: Bool
        let isExecutable: Bool
    }

    /// A change that was begun.
    private struct Change {
        let announced: PartitionChange
        let before: [UInt64: Page]
        var after: [UInt64: Page]

        init(_ announced: PartitionChange, _ pages: [UInt64: Page]) {
            self.announced = announced
            before = pages
            after = pages
            for range in announced.unmapped { for frame in range.frames { after[frame] = nil } }
            for mapping in announced.mapped { after.merge(mapping.pages) { $1 } }
        }
    }

    private struct State {
        var pages: [UInt64: Page] = [:]
        var change: Change?
        var complaints: [String] = []
        var hook: @Sendable (String) -> Void = { _ in }
        var isOnHost: @Sendable (MemoryRange) -> Bool = { _ in true }
    }

    let name: String
    private let log: StepLog
    private let state = Monitor(State())

    init(_ name: String, _ log: StepLog) {
        self.name = name
        self.log = log
    }

    /// By frame number.
    var pages: [UInt64: Page] { state.withLock { $0.pages } }
    /// How promises were broken.
    var complaints: [String] { state.withLock { $0.complaints } }

    var inspection: PartitionInspection {
        PartitionInspection(name: name, counters: ["pages": UInt64(pages.count)])
    }

    /// Tells whether memory is there on the host.
    func check(_ isOnHost: @escaping @Sendable (MemoryRange) -> Bool) {
        state.withLock { $0.isOnHost = isOnHost }
    }

    /// Calls `hook` in each call, with its name, before anything else.
    func onCall(_ hook: @escaping @Sendable (String) -> Void) {
        state.withLock { $0.hook = hook }
    }

    func begin(_ change: PartitionChange) throws(PartitionError) {
        complain { state in
            if state.change != nil { return "a change is begun within another" }
            if change.unmapped.isEmpty, change.mapped.isEmpty { return "nothing is to change" }
            return nil
        }
        try step("begin", change.unmapped + change.mapped.map(\.range)) { state in
            state.change = Change(change, state.pages)
        }
    }

    func unmap(_ ranges: [MemoryRange]) throws(PartitionError) {
        complain { state in
            guard let change = state.change else { return "unmapped outside of a change" }
            let undone = change.announced.mapped.map(\.range)
            let isNext = state.pages == change.before && ranges == change.announced.unmapped
            let isUndoing = state.pages == change.after && ranges == undone
            guard isNext || isUndoing else { return "\(ranges) unmapped, which is not what comes next" }
            if ranges.flatMap(\.frames).contains(where: { state.pages[$0] == nil }) { return "not all was mapped" }
            return ranges.allSatisfy(state.isOnHost) ? nil : "memory is gone from the host already"
        }
        try step("unmap", ranges) { state in
            for range in ranges { for frame in range.frames { state.pages[frame] = nil } }
        }
    }

    func map(_ mappings: [PartitionMapping]) throws(PartitionError) {
        let ranges = mappings.map(\.range)
        complain { state in
            guard let change = state.change else { return "mapped outside of a change" }
            var pages = state.pages
            for mapping in mappings { pages.merge(mapping.pages) { $1 } }
            guard pages == change.after || pages == change.before else { return "\(ranges) mapped, as never announced" }
            if ranges.flatMap(\.frames).contains(where: { state.pages[$0] != nil }) { return "something was mapped" }
            return ranges.allSatisfy(state.isOnHost) ? nil : "memory is not on the host yet"
        }
        try step("map", ranges) { state in
            for mapping in mappings { state.pages.merge(mapping.pages) { $1 } }
        }
    }

    func end() {
        log.note("\(name) end")
        let hook = state.withLock(\.hook)
        hook("end")
        complain { state in
            defer { state.change = nil }
            guard let change = state.change else { return "nothing was begun that could end" }
            return state.pages == change.after || state.pages == change.before ? nil : "a change was left half done"
        }
    }

    private func complain(_ body: (inout State) -> String?) {
        state.withLock { state in
            if let complaint = body(&state) { state.complaints.append("\(name): \(complaint)") }
        }
    }

    private func step(
        _ call: String, _ ranges: [MemoryRange], _ body: (inout State) -> Void
    ) throws(PartitionError) {
        let hook = state.withLock(\.hook)
        hook(call)
        let isOrdered = zip(ranges, ranges.dropFirst()).allSatisfy { $0.last < $1.start }
        if !isOrdered, call != "begin" { complain { _ in "\(call): \(ranges) are not ascending and disjoint" } }
        guard !log.step("\(name) \(call)" + (call == "begin" ? "" : " " + describe(ranges))) else {
            throw PartitionError("\(call) was made to fail")
        }
        state.withLock(body)
    }
}

/// Frames.
func describe(_ ranges: [MemoryRange]) -> String {
    ranges.map { "\($0.frames)" }.joined(separator: ", ")
}

extension PartitionMapping {
    var pages: [UInt64: FakePartition.Page] {
        var pages: [UInt64: FakePartition.Page] = [:]
        for frame in range.frames {
            let offset = UInt(frame - range.start.frame) * 4096
            pages[frame] = FakePartition.Page(
                hostAddress: hostAddress + offset, isWritable: isWritable, isExecutable: isExecutable)
        }
        return pages
    }
}
