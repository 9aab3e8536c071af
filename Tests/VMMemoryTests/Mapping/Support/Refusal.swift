@testable import VMMemory

/// The error that `body` ends with, nil where it ends without one.
func refusal(of body: () throws -> Void) -> HostMemoryError? {
    do {
        try body()
        return nil
    } catch {
        return error as? HostMemoryError
    }
}
