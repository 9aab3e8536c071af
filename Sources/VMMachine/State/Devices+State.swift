import VMDevices
import VMState

extension Devices {
    func save(into state: inout MachineState) {
        state.append(serial.savedState)
        state.append(post.savedState)
        state.append(reset.savedState)
        state.append(powerOff.savedState)
        state.append(firmware.savedState)
        if let ioapic { state.append(ioapic.savedState) }
    }

    /// Checks the records of all of them.
    /// - Returns: what gives them that state, and cannot fail.
    func restoration(from state: MachineState) throws(StateError) -> () -> Void {
        var restorations: [() -> Void] = []
        // The I/O APIC first: lines then get the levels that it knows of.
        if let ioapic { restorations.append(try ioapic.restoration(from: state)) }
        restorations.append(try serial.restoration(from: state))
        restorations.append(try post.restoration(from: state))
        restorations.append(try reset.restoration(from: state))
        restorations.append(try powerOff.restoration(from: state))
        restorations.append(try firmware.restoration(from: state))
        return { for restore in restorations { restore() } }
    }
}
