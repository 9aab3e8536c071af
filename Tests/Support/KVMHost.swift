import Glibc

/// Whether tests can use KVM here.
public enum KVMHost {
    /// Why tests that need KVM are skipped.
    public static let skipReason = "needs /dev/kvm, which this host does not have or does not let this user open"

    /// False only where there is no KVM and `VMM_REQUIRE_KVM=1` does not say that there has to be: with it such tests
    /// run, and fail.
    public static var isUsable: Bool {
        if let required = getenv("VMM_REQUIRE_KVM"), String(cString: required) == "1" { return true }
        return access("/dev/kvm", R_OK | W_OK) == 0
    }
}
