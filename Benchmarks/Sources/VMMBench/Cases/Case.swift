/// The programs and files that `Scripts/bench` has built.
struct Inputs {
    /// The program as users have it.
    var vmm = ""
    /// The same without debug information, which valgrind cannot read.
    var strippedVMM = ""
    /// The baseline as a program.
    var baseline = ""
    /// The folder of the guests' images.
    var guests = ""
    /// A folder to write to.
    var scratch = ""

    func guest(_ name: String) -> String { "\(guests)/\(name).bin" }
}

/// One case: some rows of the table.
struct Case: Sendable {
    let name: String
    let measure: @Sendable (Inputs) throws -> [Measurement]

    static let all = [
        createToFirstExit, restoreToFirstExit, portIOExit, portIOExitInstructions, runHello, spinMemory,
        allocationsPerExit, memorySlots,
        dirtyHarvest, dirtyStart, dirtyOff,
    ]
}

/// A case that this host cannot do, and why.
struct Skipped: Error {
    let reason: String
}
