/// A backtrace as lines: all of a short one, of a long one (a recursion, most likely) both ends.
enum BacktraceText {
    private static let longest = 32
    private static let shownAtEachEnd = 8

    static func lines(_ view: GuestView) -> [String] {
        let backtrace = Backtrace(view)
        let all = backtrace.addresses
        var lines: [String] = []
        if all.count <= longest {
            lines = all.indices.map { line($0, all[$0], view) }
        } else {
            lines = all.indices.prefix(shownAtEachEnd).map { line($0, all[$0], view) }
            lines.append("... \(all.count - 2 * shownAtEachEnd) frames ...")
            lines += all.indices.suffix(shownAtEachEnd).map { line($0, all[$0], view) }
        }
        if backtrace.isCut { lines.append("... more") }
        return lines
    }

    private static func line(_ depth: Int, _ address: UInt64, _ view: GuestView) -> String {
        // A return address is the start of the next line, perhaps of the next function: the call is just before it.
        let call = depth == 0 ? address : address &- 1
        let symbol = view.symbols?.symbol(at: call).map {
            "  \($0.name)+\(Hex.short($0.offset &+ (depth == 0 ? 0 : 1)))"
        }
        return "#\(depth)\(depth < 10 ? " " : "") \(Hex.padded(address, 16))\(symbol ?? "")"
    }
}
