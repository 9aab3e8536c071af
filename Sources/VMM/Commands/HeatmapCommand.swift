import ArgumentParser
import Glibc
import VMDirtyTracking
import VMMachine

struct HeatmapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heatmap", abstract: "Show which memory a guest writes, and when.",
        discussion: """
            Runs the guest, and draws its memory across and time down; colour says how much of each part was written in an \
            interval. Beside it are what was written a second, and the working set: the distinct pages written so far.

              vmm heatmap dirty --seconds 5 --output dirty.svg -- --pattern hot
              vmm heatmap --live -m 256M kernel.elf

            The guest's serial output is dropped. Pages are found as --dirty-tracking says.

            Exit status: 0, also where the time was over before the guest ended; otherwise as of 'vmm run'.
            """)

    @OptionGroup var options: MachineOptions

    @Option(
        name: .long, help: ArgumentHelp("Draw to FILE, which ends in .svg or .html.", valueName: "file"))
    var output: String?

    @Flag(name: .long, help: "Draw in the terminal while the guest runs, a line for each interval.")
    var live = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long to look (default 10, and with --live until the guest ends).", valueName: "seconds"),
        transform: { try $0.parsed("a time, such as 10, 10s or 500ms", TimeLimit.init) })
    var seconds: TimeLimit?

    @Option(
        name: .long, help: ArgumentHelp("How often to look (default 100ms, and with --live 500ms).", valueName: "time"),
        transform: { try $0.parsed("a time, such as 1s or 100ms", TimeLimit.init) })
    var interval: TimeLimit?

    func run() throws {
        guard live || output != nil else {
            throw Failure(.usage, "nowhere to draw to; name a file with --output, or use --live")
        }
        let format = try output.map { path throws(Failure) in try PictureFormat(path: path) }
        var file: OutputFile? = if let output { try OutputFile(output, label: "--output") } else { nil }
        let guest = try GuestRun(try options.makeConfiguration()) { _ in DroppedOutput() }
        var session = try HeatmapSession(guest.machine, interval: (interval ?? defaultInterval).duration)
        let display = live ? LiveHeatmap(session.axis) : nil
        let sampled = SampledRun(
            guest: guest, interval: session.interval,
            limit: seconds?.duration ?? (live ? nil : .seconds(10)))
        try session.begin()
        try display?.begin()
        let outcome = try sampled.run { time throws(Failure) in
            let row = try session.sample(at: time)
            if let row { try display?.show(row) }
        }
        if let format { try file?.write(format.document(session.heatmap, session.caption)) }
        try CommandOutput.print(session.summary)
        let status = outcome.map(guest.finish) ?? .success
        throw ExitCode(status.rawValue)
    }

    private var defaultInterval: TimeLimit { TimeLimit(live ? .milliseconds(500) : .milliseconds(100)) }
}

/// What a picture file is, by its name.
private enum PictureFormat {
    case svg, html

    init(path: String) throws(Failure) {
        if path.hasSuffix(".svg") {
            self = .svg
        } else if path.hasSuffix(".html") {
            self = .html
        } else {
            throw Failure(
                .usage, "--output: \(path) does not end in .svg or .html; the end of its name says what to draw")
        }
    }

    func document(_ heatmap: Heatmap, _ caption: HeatmapCaption) -> String {
        switch self {
        case .svg: HeatmapSVG(heatmap, caption).document
        case .html: HeatmapPage(heatmap, caption).document
        }
    }
}
