import ArgumentParser
import VMRegions

struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Show what regions of guest memory look like to a guest, and what changes do.",
        discussion: """
            Reads regions and changes to them from FILE, and prints for the beginning and for each change which ranges \
            are unmapped and mapped, and what the guest sees then. Nothing is really mapped, and KVM is not needed.

              { "backings": [{ "name": "ram", "size": "64M" },
                             { "name": "bios", "size": "64K", "readOnly": true }],
                "regions": [{ "name": "ram", "start": 0, "size": "64M",
                              "mappings": [{ "backing": "ram" }] },
                            { "name": "rom", "start": "0xf0000", "size": "64K",
                              "priority": 1, "mappings": [{ "backing": "bios" }] }],
                "changes": [{ "unmap": "rom" },
                            { "transaction": [{ "move": "rom", "to": "0xe0000" },
                                              { "map": "rom" }] }] }

            Of regions that overlap, the one with the highest priority is seen. A change is one of add, remove, map, \
            unmap, addMapping, removeMappings, move, resize, and transaction, a list of them that happen at once. One that \
            cannot be made is refused: it says why, changes nothing, and the next one follows.

            Exit status: 0; 1 a change was refused; 64 usage; 65 bad file; 66 no such file; 74 output was lost; 77 not \
            permitted.
            """)

    @Argument(help: ArgumentHelp("A JSON file; - for standard input.", valueName: "file"))
    var file: String

    @Flag(name: .long, help: "Print a line of JSON for each step, and one for the summary.")
    var json = false

    func run() throws {
        let label = file == "-" ? "standard input" : file
        let source = JSONFile(path: file, label: label, kind: "plan", badStatus: .badData)
        let plan = try source.read(PlanFile.self, largestMebibytes: 16)
        var session: PlanSession
        let initial: RegionPlan
        do throws(PlanRefusal) {
            session = try PlanSession(plan)
            initial = try session.plan(plan.initialChanges)
        } catch {
            throw Failure(.badData, "\(label): \(error)")
        }
        var summary = PlanSummary()
        try show(session.step("regions", nil, initial), session, &summary)
        for (index, step) in plan.changes.enumerated() {
            try show(session.take(step, at: "changes[\(index)]"), session, &summary)
        }
        try show(summary)
        let refused = summary.summary.refused
        guard refused == 0 else {
            throw Failure(.refused, "\(label): \(refused) of \(plan.changes.count) changes refused")
        }
    }

    private func show(_ step: PlanStep, _ session: PlanSession, _ summary: inout PlanSummary) throws(Failure) {
        summary.count(step, session.planner)
        try show(step)
    }

    private func show(_ value: some Encodable & CustomStringConvertible) throws(Failure) {
        try CommandOutput.print(json ? JSONText.line(value) : "\(value)")
    }
}
