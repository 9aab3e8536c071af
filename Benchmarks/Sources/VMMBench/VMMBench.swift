import BenchmarkSupport
import Glibc

/// Runs the cases. `Scripts/bench` calls it with everything it needs.
@main
enum VMMBench {
    static func main() {
        do {
            let arguments = try Arguments(CommandLine.arguments.dropFirst())
            if arguments.comparesMethods {
                return try MethodsReport.show(arguments.inputs, json: arguments.json, chart: arguments.chart)
            }
            if arguments.measuresMigration {
                return try MigrationReport.show(arguments.inputs, json: arguments.json)
            }
            if !arguments.json { Output.show(Table.header) }
            for benchmark in arguments.cases { try run(benchmark, arguments) }
        } catch let error as BenchmarkError {
            Output.complain("error: \(error.message)")
            exit(70)
        } catch {
            Output.complain("error: \(error)")
            exit(70)
        }
    }

    private static func run(_ benchmark: Case, _ arguments: Arguments) throws {
        do {
            for measurement in try benchmark.measure(arguments.inputs) {
                Output.show(arguments.json ? measurement.json : Table.row(measurement))
            }
        } catch let skipped as Skipped {
            Output.complain("\(benchmark.name) skipped: \(skipped.reason)")
        }
    }
}

/// What it is to do.
private struct Arguments {
    var inputs = Inputs()
    var json = false
    var cases = Case.all
    /// Whether the methods of dirty tracking are to be compared, instead.
    var comparesMethods = false
    /// Whether migration and snapshots are to be measured, instead.
    var measuresMigration = false
    /// The file for the chart of the methods.
    var chart: String?

    private static var paths: [String: WritableKeyPath<Inputs, String>] {
        [
            "--vmm": \.vmm, "--stripped-vmm": \.strippedVMM, "--baseline": \.baseline, "--guests": \.guests,
            "--scratch": \.scratch,
        ]
    }

    init(_ arguments: some Sequence<String>) throws {
        var iterator = arguments.makeIterator()
        while let argument = iterator.next() {
            if argument == "--json" {
                json = true
            } else if let path = Self.paths[argument] {
                guard let value = iterator.next() else { throw BenchmarkError("\(argument) needs a path") }
                inputs[keyPath: path] = value
            } else if argument == "--chart" {
                chart = iterator.next()
                guard chart != nil else { throw BenchmarkError("--chart needs a path") }
            } else if argument == MethodsReport.name {
                comparesMethods = true
            } else if argument == MigrationReport.name {
                measuresMigration = true
            } else {
                cases = Case.all.filter { $0.name == argument }
                guard !cases.isEmpty else {
                    let names = (Case.all.map(\.name) + [MethodsReport.name, MigrationReport.name]).joined(
                        separator: ", ")
                    throw BenchmarkError("there is no case \(argument); there are \(names)")
                }
            }
        }
        guard chart == nil || comparesMethods else { throw BenchmarkError("--chart goes with \(MethodsReport.name)") }
    }
}
