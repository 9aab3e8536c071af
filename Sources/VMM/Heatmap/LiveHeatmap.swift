import Glibc
import VMDirtyTracking

/// A heat map that grows in the terminal.
struct LiveHeatmap {
    private let picture: TerminalHeatmap

    /// Where standard output is no terminal, lines are of 80 plain characters.
    init(_ axis: HeatmapAxis) {
        let width = TerminalWidth.current
        picture = TerminalHeatmap(
            axis, width: width ?? 80, width == nil ? .characters : TerminalShading(environment: Self.environment))
    }

    func begin() throws(Failure) {
        for line in picture.header { try CommandOutput.print(line) }
    }

    func show(_ row: HeatmapRow) throws(Failure) {
        try CommandOutput.print(picture.line(row))
    }

    private static var environment: [String: String] {
        var environment: [String: String] = [:]
        for name in ["NO_COLOR", "COLORTERM", "TERM", "LC_ALL", "LC_CTYPE", "LANG"] {
            if let value = getenv(name) { environment[name] = String(cString: value) }
        }
        return environment
    }
}
