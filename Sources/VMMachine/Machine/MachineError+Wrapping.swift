extension MachineError {
    /// Runs `body`, turning its kind of error into this one: `try MachineError.wrap(MachineError.kvm) { ... }`.
    package static func wrap<Failure: Error, Result: ~Copyable>(
        _ convert: (Failure) -> MachineError, _ body: () throws(Failure) -> Result
    ) throws(MachineError) -> Result {
        do throws(Failure) {
            return try body()
        } catch {
            throw convert(error)
        }
    }
}
