import BenchmarkSupport

/// A program that measures the same cases of another memory layer. It prints a line for each: the case's name, a tab, and
/// nanoseconds for one operation. Where it is given an argument, it may leave out the cases whose names do not contain it.
struct Peer {
    let program: String
    let filter: String?

    func run() throws -> [String: Double] {
        let (output, status) = try Child([program] + (filter.map { [$0] } ?? [])).finish()
        guard status == 0 else { throw BenchmarkError("\(program) failed, with status \(status)") }
        var results: [String: Double] = [:]
        for line in output.split(separator: "\n") {
            let fields = line.split(separator: "\t")
            guard fields.count == 2, let nanoseconds = Double(fields[1]), nanoseconds > 0 else {
                throw BenchmarkError("\(program) printed what is no result: \(line)")
            }
            results[String(fields[0])] = nanoseconds
        }
        return results
    }
}
