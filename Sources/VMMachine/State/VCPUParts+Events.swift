import KVM
import VMState

/// Exceptions, interrupts, NMIs and SMIs that are pending or being delivered.
struct SavedEvents: SavedPart {
    static let kind = "vcpu.events"
    static let version: UInt32 = 1

    var value = VCPUEvents()

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("exception injected", &value.exception.injected)
        try archive.number("exception vector", &value.exception.nr)
        try archive.number("exception has error code", &value.exception.has_error_code)
        try archive.number("exception pending", &value.exception.pending)
        try archive.number("exception error code", &value.exception.error_code)
        try archive.number("exception has payload", &value.exception_has_payload)
        try archive.number("exception payload", &value.exception_payload)
        try archive.number("interrupt injected", &value.interrupt.injected)
        try archive.number("interrupt vector", &value.interrupt.nr)
        try archive.number("interrupt soft", &value.interrupt.soft)
        try archive.number("interrupt shadow", &value.interrupt.shadow)
        try archive.number("nmi injected", &value.nmi.injected)
        try archive.number("nmi pending", &value.nmi.pending)
        try archive.number("nmi masked", &value.nmi.masked)
        try archive.number("start-up vector", &value.sipi_vector)
        try archive.number("flags", &value.flags)
        try archive.number("smm", &value.smi.smm)
        try archive.number("smi pending", &value.smi.pending)
        try archive.number("smm inside nmi", &value.smi.smm_inside_nmi)
        try archive.number("init latched", &value.smi.latched_init)
        try archive.number("triple fault pending", &value.triple_fault.pending)
    }
}

/// DR0 to DR3, DR6 and DR7.
struct SavedDebugRegisters: SavedPart {
    static let kind = "vcpu.debug"
    static let version: UInt32 = 1

    var value = DebugRegisters()

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.number("dr0", &value.db.0)
        try archive.number("dr1", &value.db.1)
        try archive.number("dr2", &value.db.2)
        try archive.number("dr3", &value.db.3)
        try archive.number("dr6", &value.dr6)
        try archive.number("dr7", &value.dr7)
    }
}

/// Whether the processor runs, waits or sleeps.
struct SavedMPState: SavedPart {
    static let kind = "vcpu.mp"
    static let version: UInt32 = 1

    var value = MPState.runnable

    mutating func exchange(with archive: inout StateArchive) throws(StateError) {
        try archive.choice("state", &value)
    }
}
