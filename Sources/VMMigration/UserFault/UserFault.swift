import CUserFault
import Glibc
import SystemPackage

/// Memory of this process whose missing pages somebody provides: whoever touches one, in this program or in the kernel for
/// a guest, sleeps until it is there (kernel document "userfaultfd").
///
/// It owns the descriptor. When that goes, all ranges are as other memory, and whoever slept finds zeros.
///
/// Threads: any, several at once.
struct UserFault: ~Copyable, Sendable {
    /// Readable while somebody has faulted whom `nextFault()` has not told of.
    let descriptor: CInt

    /// Whose faults are served.
    enum Scope {
        /// Those of the kernel too, as KVM's are for a guest: this takes a privilege.
        case all
        /// Those of this program's instructions. The kernel's fail.
        case program
    }

    /// - Throws: `UserFaultError.unavailable` where the host does not let this process have it, or is too old.
    init(_ scope: Scope = .all) throws(UserFaultError) {
        let opened = scope == .all ? cuserfault_open() : cuserfault_open_user_mode()
        guard opened >= 0 else { throw .unavailable(Errno(rawValue: -opened)) }
        let begun = cuserfault_begin(opened)
        guard begun == 0 else {
            close(opened)
            throw .unavailable(Errno(rawValue: -begun))
        }
        descriptor = opened
    }

    deinit {
        close(descriptor)
    }

    /// Makes faults of pages that are missing in a range wait from now on.
    /// - Parameters:
    ///   - range: whole pages, mapped.
    ///   - name: of what is there, for the message.
    /// - Throws: `UserFaultError.memory`; where it is of a kind that pages cannot be put into.
    func register(_ range: Range<UInt>, of name: String) throws(UserFaultError) {
        let result = cuserfault_register(descriptor, UInt64(range.lowerBound), UInt64(range.count))
        guard result >= 0 else { throw .memory(name, Errno(rawValue: -result)) }
        guard result == 1 else {
            unregister(range)
            throw .memory(name, .notSupported)
        }
    }

    /// Lets pages that are missing be zero again. Whoever sleeps wakes.
    func unregister(_ range: Range<UInt>) {
        // What is not registered, or not there any more, needs nothing.
        _ = cuserfault_unregister(descriptor, UInt64(range.lowerBound), UInt64(range.count))
    }

    /// Puts pages where they are missing, and wakes who waits for them there. Those that are there stay as they are.
    /// - Parameters:
    ///   - address: in a range that is registered.
    ///   - onPresent: called with the offset of each page that is there.
    /// - Throws: why the kernel has no page for it.
    func place(
        _ bytes: UnsafeRawBufferPointer, at address: UInt, onPresent: (_ offset: Int) -> Void = { _ in }
    ) throws(Errno) {
        guard let base = bytes.baseAddress else { return }
        try place(bytes.count, at: address, onPresent) { [descriptor] (offset, error) in
            cuserfault_copy(
                descriptor, UInt64(address) + UInt64(offset), base + offset, UInt64(bytes.count - offset), &error)
        }
    }

    /// The same with zeros.
    func placeZeros(
        _ count: Int, at address: UInt, onPresent: (_ offset: Int) -> Void = { _ in }
    ) throws(Errno) {
        try place(count, at: address, onPresent) { [descriptor] (offset, error) in
            cuserfault_zero(descriptor, UInt64(address) + UInt64(offset), UInt64(count - offset), &error)
        }
    }

    /// Wakes who sleeps in a range: they look again.
    func wake(_ range: Range<UInt>) {
        _ = cuserfault_wake(descriptor, UInt64(range.lowerBound), UInt64(range.count))
    }

    /// Where somebody has faulted.
    /// - Returns: an address in the page; nil where there is nobody now.
    func nextFault() throws(Errno) -> UInt? {
        while true {
            var address: UInt64 = 0
            let result = cuserfault_read(descriptor, &address)
            guard result >= 0 else { throw Errno(rawValue: -result) }
            switch result {
            case 0: return nil
            case 1: return UInt(address)
            default: continue
            }
        }
    }

    private static let pageByteCount = 4096

    /// - Parameter call: does it from an offset on; returns how many bytes it has done, and why no more.
    private func place(
        _ count: Int, at address: UInt, _ onPresent: (_ offset: Int) -> Void,
        _ call: (_ offset: Int, _ error: inout CInt) -> UInt64
    ) throws(Errno) {
        var done = 0
        while done < count {
            var error: CInt = 0
            done += Int(call(done, &error))
            switch error {
            case 0: continue
            case EEXIST:
                // Somebody may have faulted before it was there, and not been woken for it.
                let page = address + UInt(done)
                wake(page..<(page + UInt(Self.pageByteCount)))
                onPresent(done)
                done += Self.pageByteCount
            // The process's mappings are being changed; or it was stopped short.
            case EAGAIN, EINTR: continue
            default: throw Errno(rawValue: error)
            }
        }
    }
}
