import CTryCopy
import Glibc
import Testing

/// A signal handed to the handler in force, as the kernel would: for what cannot be had from a kernel at will.
struct Delivery {
    /// Places in the saved registers: `<sys/ucontext.h>`.
    enum Register: Int {
        case r8 = 0
        case r9 = 1
        case rdi = 8
        case rdx = 12
        case rax = 13
        case rip = 16
    }

    private var context = ucontext_t()
    private var information = siginfo_t()

    init(_ signal: Int32, code: Int, address: UInt, granularity: Int16 = 0) {
        information.si_signo = signal
        information.si_code = Int32(code)
        information._sifields._sigfault.si_addr = UnsafeMutableRawPointer(bitPattern: address)
        information._sifields._sigfault.si_addr_lsb = granularity
    }

    subscript(register: Register) -> UInt {
        get {
            withUnsafeBytes(of: context.uc_mcontext.gregs) {
                $0.load(fromByteOffset: 8 * register.rawValue, as: UInt.self)
            }
        }
        set {
            withUnsafeMutableBytes(of: &context.uc_mcontext.gregs) {
                $0.storeBytes(of: newValue, toByteOffset: 8 * register.rawValue, as: UInt.self)
            }
        }
    }

    /// Interrupts a load of 8 bytes from that address.
    mutating func interruptLoad(from address: UInt) {
        let load: @convention(c) (UnsafeRawPointer) -> ctrycopy_result = ctrycopy_load_8_accessor
        self[.rip] = unsafeBitCast(load, to: UInt.self)
        self[.rdi] = address
    }

    /// Calls the handler. What the load would return, or nil if it was not made to return.
    mutating func deliver() throws -> Fault? {
        var action = sigaction()
        try #require(sigaction(information.si_signo, nil, &action) == 0)
        let before = self[.rip]
        action.__sigaction_handler.sa_sigaction(information.si_signo, &information, &context)
        guard self[.rip] != before else { return nil }
        let signal = Int32(truncatingIfNeeded: self[.rdx])
        return Fault(address: self[.rax], signal: signal, code: Int32(truncatingIfNeeded: self[.rdx] >> 32))
    }
}
