import CTryCopy
import Glibc

/// `CTryCopy` in Swift: accesses to mapped guest memory whose faults come back as values.
enum TryCopy {
    /// A fault and the host address it happened at.
    struct Fault {
        let address: UInt
        let cause: HostFault
    }

    @inline(__always)
    static func copy(
        fromGuest guest: UnsafeMutableRawPointer, to local: UnsafeMutableRawPointer, count: Int
    ) -> Fault? {
        fault(ctrycopy_copy_in(local, guest, count))
    }

    @inline(__always)
    static func copy(toGuest guest: UnsafeMutableRawPointer, from local: UnsafeRawPointer, count: Int) -> Fault? {
        fault(ctrycopy_copy_out(guest, local, count))
    }

    @inline(__always)
    static func fill(_ guest: UnsafeMutableRawPointer, with value: UInt8, count: Int) -> Fault? {
        fault(ctrycopy_fill(guest, value, count))
    }

    /// What an access came to that was not tried.
    @inline(__always)
    static var notTried: ctrycopy_result { ctrycopy_result(value: 0, signal: -1, code: 0) }

    /// - Parameter size: 1, 2, 4 or 8.
    @inline(__always)
    static func load(_ guest: UnsafeMutableRawPointer, size: Int) -> ctrycopy_result {
        switch size {
        case 8: ctrycopy_load_8(guest)
        case 4: ctrycopy_load_4(guest)
        case 2: ctrycopy_load_2(guest)
        default: ctrycopy_load_1(guest)
        }
    }

    /// - Parameter size: 1, 2, 4 or 8.
    @inline(__always)
    static func store(_ value: UInt64, to guest: UnsafeMutableRawPointer, size: Int) -> ctrycopy_result {
        switch size {
        case 8: ctrycopy_store_8(guest, value)
        case 4: ctrycopy_store_4(guest, UInt32(truncatingIfNeeded: value))
        case 2: ctrycopy_store_2(guest, UInt16(truncatingIfNeeded: value))
        default: ctrycopy_store_1(guest, UInt8(truncatingIfNeeded: value))
        }
    }

    /// - Parameter size: 1, 2, 4 or 8.
    static func compareExchange(
        _ guest: UnsafeMutableRawPointer, size: Int, expected: UInt64, desired: UInt64
    ) -> ctrycopy_result {
        switch size {
        case 8: ctrycopy_compare_exchange_8(guest, expected, desired)
        case 4:
            ctrycopy_compare_exchange_4(
                guest, UInt32(truncatingIfNeeded: expected), UInt32(truncatingIfNeeded: desired))
        case 2:
            ctrycopy_compare_exchange_2(
                guest, UInt16(truncatingIfNeeded: expected), UInt16(truncatingIfNeeded: desired))
        default:
            ctrycopy_compare_exchange_1(
                guest, UInt8(truncatingIfNeeded: expected), UInt8(truncatingIfNeeded: desired))
        }
    }

    @inline(__always)
    static func fault(_ result: ctrycopy_result) -> Fault? {
        result.signal <= 0 ? nil : makeFault(result)
    }

    @inline(never)
    private static func makeFault(_ result: ctrycopy_result) -> Fault {
        Fault(address: UInt(result.value), cause: HostFault(signal: result.signal, code: result.code))
    }
}

extension HostFault {
    init(signal: Int32, code: Int32) {
        self =
            switch (signal, code) {
            case (SIGSEGV, Int32(SEGV_MAPERR)): .notMapped
            case (SIGSEGV, Int32(SEGV_ACCERR)): .protected
            case (SIGBUS, Int32(BUS_ADRERR)): .noBacking
            case (SIGBUS, Int32(BUS_MCEERR_AR)): .hardware
            default: .other(signal: signal, code: code)
            }
    }
}
