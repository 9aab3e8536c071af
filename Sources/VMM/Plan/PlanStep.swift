import VMRegions

/// What one step of a plan does: with `--json`, a line.
struct PlanStep: Encodable {
    struct Operation: Encodable {
        /// `unmap` or `map`.
        let operation: String
        let range: InspectedRange
        /// What is mapped.
        let memory: RegionInspection.Memory?
    }

    /// Where it is in the file: `regions` at the beginning, then `changes[0]` and so on.
    let step: String
    /// What it is, in the words of the file; nil at the beginning.
    let change: String?
    /// In order; none where the step is refused.
    let operations: [Operation]
    /// Where and why it is refused. Nothing has changed then.
    let refusal: PlanRefusal?
    /// What the guest sees afterwards.
    let view: [RegionInspection.Piece]
}

/// What there is to say after the last step: with `--json`, the last line.
struct PlanSummary: Encodable {
    struct Counts: Encodable {
        var changes = 0
        var refused = 0
        /// Operations of all steps.
        var unmaps = 0
        var maps = 0
        /// What there is after the last.
        var regions = 0
        var pieces = 0
    }

    var summary = Counts()

    mutating func count(_ step: PlanStep, _ planner: RegionPlanner) {
        if step.change != nil { summary.changes += 1 }
        if step.refusal != nil { summary.refused += 1 }
        let maps = step.operations.count { $0.memory != nil }
        summary.maps += maps
        summary.unmaps += step.operations.count - maps
        summary.regions = planner.regions.count
        summary.pieces = step.view.count
    }
}
