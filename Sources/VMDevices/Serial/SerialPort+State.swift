import VMState

/// Saving and restoring, while no vCPU runs.
extension SerialPort {
    /// What its registers are.
    public var savedState: some SavedPart { state.withLock { $0.saved } }

    /// Checks its record.
    /// - Returns: what gives the device that state, and cannot fail.
    public func restoration(from records: MachineState) throws(StateError) -> () -> Void {
        let saved = try records.part(SavedSerialPort.self)
        return { [self] in
            let hasSpace = state.withLock { state in
                state.restore(saved)
                published.store(Self.publication(of: state), ordering: .releasing)
                interrupt.restoreLevel(saved.drivenLevel)
                return state.takeReceiveSpace()
            }
            if hasSpace { onReceiveSpace?() }
        }
    }
}
