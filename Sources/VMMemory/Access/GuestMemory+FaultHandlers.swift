import CTryCopy
import SystemPackage

extension GuestMemory {
    /// Puts in front the handlers of SIGSEGV and SIGBUS that make faults of guest memory errors. Making a handle does it
    /// the first time; this does it again, and says whether it went well. It does nothing where they are in front.
    ///
    /// Other faults are passed on to the handlers that were in force before. But whoever installs a handler later is in
    /// front of these, and nothing notices: from then on a fault is an error only if that handler passes it on, and
    /// otherwise whatever that handler makes of it. Call this after it: after starting crash reporters and language
    /// runtimes, say.
    ///
    /// Any thread may call it at any time, but not while other code sets these two actions.
    /// - Throws: `Errno`: `noSpace` where they were put in front eight times before; what sigaction(2) says, as where a
    ///   seccomp filter forbids it. Nothing has changed then.
    public static func installFaultHandlers() throws(Errno) {
        let result = ctrycopy_install()
        guard result == 0 else { throw Errno(rawValue: result) }
    }

    /// The same, but for where it went well once: whoever got in front of the handlers later has their reasons.
    package static func installFaultHandlersOnce() throws(Errno) {
        if firstInstallation != nil { try installFaultHandlers() }
    }

    /// What the first try in the process came to; nil where it went well.
    static let firstInstallation: Errno? = {
        do throws(Errno) {
            try installFaultHandlers()
            return nil
        } catch {
            return error
        }
    }()
}
