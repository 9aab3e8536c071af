import BenchmarkSupport

/// The table for people to read, or an object for each line.
struct Report {
    let cases: [MemoryCase]
    let results: [String: Result]
    let hasPeer: Bool

    func show(json: Bool) {
        if !json { Output.show(header) }
        for memoryCase in cases {
            guard let result = results[memoryCase.name] else { continue }
            Output.show(json ? self.json(memoryCase, result) : row(memoryCase, result))
        }
    }

    private var header: String {
        line("case", "ours ns", "C ns", "ratio", hasPeer ? ("peer ns", "faster") : nil, "goal", "met")
    }

    private func row(_ memoryCase: MemoryCase, _ result: Result) -> String {
        let faster = result.timesFasterThanPeer.map { $0.decimal($0 < 10 ? 2 : 0) } ?? "-"
        return line(
            memoryCase.name, result.ours.figure, result.baseline.figure, result.ratio.decimal(2),
            hasPeer ? (result.peer?.figure ?? "-", faster) : nil, memoryCase.goal?.description ?? "",
            isMet(memoryCase, result).map { $0 ? "yes" : "no" } ?? "")
    }

    private func line(
        _ name: String, _ ours: String, _ baseline: String, _ ratio: String, _ peer: (String, String)?,
        _ goal: String, _ isMet: String
    ) -> String {
        let figures = name.padded(44, left: true) + ours.padded(11) + baseline.padded(11) + ratio.padded(8)
        let peer = peer.map { $0.padded(11) + $1.padded(9) } ?? ""
        return figures + peer + "  " + (isMet.isEmpty ? goal : goal.padded(32, left: true) + isMet)
    }

    private func json(_ memoryCase: MemoryCase, _ result: Result) -> String {
        let number = { (value: Double?) in value.map { $0.decimal(3) } ?? "null" }
        let goal = memoryCase.goal.map { "\"\($0.description)\"" } ?? "null"
        let isMet = isMet(memoryCase, result).map { "\($0)" } ?? "null"
        return "{\"name\":\"\(memoryCase.name)\",\"unit\":\"ns\",\"ours\":\(number(result.ours)),"
            + "\"baseline\":\(number(result.baseline)),\"ratio\":\(number(result.ratio)),"
            + "\"peer\":\(number(result.peer)),\"faster\":\(number(result.timesFasterThanPeer)),"
            + "\"goal\":\(goal),\"met\":\(isMet)}"
    }

    private func isMet(_ memoryCase: MemoryCase, _ result: Result) -> Bool? {
        memoryCase.goal?.isMet(by: result, among: results) ?? nil
    }
}

extension Double {
    /// With as many digits as mean something.
    fileprivate var figure: String { decimal(self < 100 ? 2 : 0) }
}
