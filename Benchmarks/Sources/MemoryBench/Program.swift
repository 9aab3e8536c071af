import BenchmarkSupport
import Glibc

/// Compares the memory layer with C and, where asked to, with another one. `Scripts/bench memory` calls it.
@main
enum Program {
    static func main() {
        do {
            try run(try Arguments(CommandLine.arguments.dropFirst()))
        } catch let error as BenchmarkError {
            Output.complain("error: \(error.message)")
            exit(70)
        } catch {
            Output.complain("error: \(error)")
            exit(70)
        }
    }

    private static func run(_ arguments: Arguments) throws {
        let cases = try MemoryCase.all().filter { arguments.wants($0.name) }
        guard !cases.isEmpty else { throw BenchmarkError("no case is called that: \(arguments.filter ?? "")") }
        let peer = arguments.peer.map { Peer(program: $0, filter: arguments.filter) }
        var results: [String: Result] = [:]
        // The peer and we take turns, so that each has its share of the times when the host is at peace.
        for _ in 0..<(peer == nil ? 1 : 3) {
            let theirs = try peer?.run() ?? [:]
            for memoryCase in cases {
                do {
                    let round = try memoryCase.measure()
                    results[memoryCase.name, default: Result()].merge(round, peer: theirs[memoryCase.peerName])
                } catch let skipped as Skipped {
                    Output.complain("\(memoryCase.name) skipped: \(skipped.reason)")
                }
            }
        }
        Report(cases: cases, results: results, hasPeer: peer != nil).show(json: arguments.json)
    }
}

/// What it is to do.
private struct Arguments {
    var json = false
    var peer: String?
    var filter: String?

    init(_ arguments: some Sequence<String>) throws {
        var iterator = arguments.makeIterator()
        while let argument = iterator.next() {
            if argument == "--json" {
                json = true
            } else if argument == "--peer" {
                guard let program = iterator.next() else { throw BenchmarkError("--peer needs a program") }
                peer = program
            } else if filter == nil, !argument.hasPrefix("-") {
                filter = argument
            } else {
                throw BenchmarkError("what is \(argument)? The arguments are [--json] [--peer PROGRAM] [FILTER]")
            }
        }
    }

    /// Whether the name contains the filter.
    func wants(_ name: String) -> Bool {
        guard let filter, !filter.isEmpty else { return true }
        let (name, wanted) = (Array(name.utf8), Array(filter.utf8))
        return name.indices.contains { name[$0...].starts(with: wanted) }
    }
}
