import CKVM
import SystemPackage

/// The owner of one descriptor of the KVM interface, and the place that turns the results of its `ioctl` calls into errors.
@usableFromInline
struct KVMDescriptor: ~Copyable, Sendable {
    @usableFromInline let rawValue: Int32

    init(owning rawValue: Int32) {
        self.rawValue = rawValue
    }

    deinit {
        try? FileDescriptor(rawValue: rawValue).close()
    }

    /// A call whose argument is a number (or nothing): its result.
    @discardableResult
    func call(
        _ call: KVMCall, _ request: UInt, _ argument: UInt = 0, about: @autoclosure () -> String = ""
    ) throws(KVMError) -> Int {
        try Self.check(call, ckvm_ioctl(rawValue, request, argument), about: about)
    }

    /// A call that reads or writes the value behind a pointer: its result.
    @discardableResult
    func call<Argument>(
        _ call: KVMCall, _ request: UInt, _ argument: UnsafeMutablePointer<Argument>,
        about: @autoclosure () -> String = ""
    ) throws(KVMError) -> Int {
        try Self.check(call, ckvm_ioctl_pointer(rawValue, request, argument), about: about)
    }

    /// A call that fills in a structure of the kernel's.
    func get<Value>(
        _ call: KVMCall, _ request: UInt, zero: Value, about: @autoclosure () -> String = ""
    ) throws(KVMError) -> Value {
        var value = zero
        try withUnsafeMutablePointer(to: &value) { (pointer) throws(KVMError) in
            _ = try Self.check(call, ckvm_ioctl_pointer(rawValue, request, pointer), about: about)
        }
        return value
    }

    /// A call that takes a structure of the kernel's.
    func set<Value>(
        _ call: KVMCall, _ request: UInt, _ value: Value, about: @autoclosure () -> String = ""
    ) throws(KVMError) {
        _ = try get(call, request, zero: value, about: about())
    }

    /// The value of a capability (KVM API document, section 4.4); 0 where the call fails.
    func value(of capability: Capability) -> Int {
        max(0, ckvm_ioctl(rawValue, CKVM_CHECK_EXTENSION, UInt(capability.rawValue)))
    }

    private static func check(_ call: KVMCall, _ result: Int, about: () -> String) throws(KVMError) -> Int {
        guard result >= 0 else { throw .call(call, Errno(rawValue: Int32(-result)), about: about()) }
        return result
    }
}
