import CTryCopy
import Glibc

/// A fault as an accessor reports it.
struct Fault: Equatable {
    var address: UInt
    var signal: Int32
    var code: Int32

    static func notMapped(_ address: UnsafeRawPointer) -> Fault { Fault(address, SIGSEGV, Int(SEGV_MAPERR)) }
    static func protected(_ address: UnsafeRawPointer) -> Fault { Fault(address, SIGSEGV, Int(SEGV_ACCERR)) }
    static func pastEndOfFile(_ address: UnsafeRawPointer) -> Fault { Fault(address, SIGBUS, Int(BUS_ADRERR)) }

    init(_ address: UnsafeRawPointer, _ signal: Int32, _ code: Int) {
        self.init(address: UInt(bitPattern: address), signal: signal, code: Int32(code))
    }

    init(address: UInt, signal: Int32, code: Int32) {
        self.address = address
        self.signal = signal
        self.code = code
    }
}

extension ctrycopy_result {
    var fault: Fault? {
        signal == 0 ? nil : Fault(address: UInt(value), signal: signal, code: code)
    }

    /// The value, unless there was a fault.
    var found: UInt64? { signal == 0 && code == 0 ? value : nil }
}
