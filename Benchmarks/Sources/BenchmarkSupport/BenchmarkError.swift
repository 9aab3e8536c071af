/// Why there is nothing to report.
public struct BenchmarkError: Error {
    public let message: String

    public init(_ message: String) {
        self.message = message
    }
}
