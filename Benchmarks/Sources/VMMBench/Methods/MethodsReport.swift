import BenchmarkSupport

/// Runs the comparison of the methods of dirty tracking, which takes minutes, and shows it.
enum MethodsReport {
    static let name = "dirty-methods"

    /// - Parameter chart: the file to write the chart to; nil for none.
    static func show(_ inputs: Inputs, json: Bool, chart: String?) throws {
        // Now rather than at the end, in case it cannot be.
        if let chart { try write([], toFile: chart) }
        let comparison = try MethodsComparison(image: try bytes(ofFile: inputs.guest("writer")))
        if !json { Output.show(MethodsTable.header) }
        var results: [(Load, [MethodFigures])] = []
        for load in Load.all {
            let figures = try comparison.measure(load)
            results.append((load, figures))
            if json {
                for figures in figures { Output.show(MethodsTable.json(load, figures)) }
            } else {
                Output.show(MethodsTable.row(load, figures))
            }
        }
        if let chart { try write(Array(MethodsChart(results: results).svg.utf8), toFile: chart) }
    }
}
