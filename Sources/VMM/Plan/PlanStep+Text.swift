import VMBoot
import VMRegions

extension PlanStep: CustomStringConvertible {
    /// A title, and beneath it the operations and the view as one table.
    var description: String {
        // Each but the first after an empty line.
        let separator = change == nil ? "" : "\n"
        let title = separator + (change.map { "\(step): \($0)" } ?? step).escapingControlCharacters
        if let refusal {
            return title + "\n  refused: " + "\(refusal)".escapingControlCharacters
        }
        var table = TextTable(rightAligned: [2])
        for operation in operations {
            let place = PieceText.columns(operation.range)
            table.append(
                operation.memory.map { ["map"] + place + PieceText.columns($0) } ?? ["unmap"] + place)
        }
        if operations.isEmpty { table.append(["no operation"]) }
        for (index, piece) in view.enumerated() {
            table.append([index == 0 ? "view" : ""] + PieceText.columns(piece))
        }
        if view.isEmpty { table.append(["view", "empty"]) }
        return ([title] + table.lines.map { "  " + $0 }).joined(separator: "\n")
    }
}

extension PlanSummary: CustomStringConvertible {
    var description: String {
        "\nchanges \(summary.changes), refused \(summary.refused), unmaps \(summary.unmaps), maps \(summary.maps); "
            + "then regions \(summary.regions), pieces in the view \(summary.pieces)"
    }
}
