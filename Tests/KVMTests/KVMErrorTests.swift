import SystemPackage
import Testing

@testable import KVM

@Suite struct KVMErrorTests {
    @Test func aMissingDeviceAForbiddenOneAndVirtualizationOffAreThreeMessages() {
        let missing = "\(KVMError.cannotOpen(path: "/dev/kvm", .noSuchFileOrDirectory))"
        let forbidden = "\(KVMError.cannotOpen(path: "/dev/kvm", .permissionDenied))"
        let off = "\(KVMError.cannotOpen(path: "/dev/kvm", .noDevice))"
        #expect(missing.contains("ENOENT") && missing.contains("kvm_intel"))
        #expect(forbidden.contains("EACCES") && forbidden.contains("usermod -aG kvm") && forbidden.contains("setfacl"))
        #expect(off.contains("ENODEV") && off.contains("firmware"))
    }

    @Test func aDeviceThatIsNotThereIsACannotOpenError() {
        #expect(throws: KVMError.cannotOpen(path: "/nonexistent/kvm", .noSuchFileOrDirectory)) {
            _ = try KVMSystem(path: "/nonexistent/kvm")
        }
    }

    @Test func aDeviceThatIsNotKVMIsSaidToBeNone() {
        #expect {
            _ = try KVMSystem(path: "/dev/null")
        } throws: { error in
            "\(error)".contains("/dev/null is not a KVM device")
        }
    }

    @Test(arguments: [0, 11, 13, 1000])
    func anyOtherVersionThanTwelveIsRefusedAndNamed(_ version: Int) {
        #expect(throws: KVMError.wrongVersion(path: "/dev/kvm", found: version)) {
            try KVMSystem.check(version: version, path: "/dev/kvm")
        }
        #expect("\(KVMError.wrongVersion(path: "/dev/kvm", found: version))".contains("version \(version)"))
    }

    @Test func aFailedCallNamesTheCallTheErrnoAndWhatItWasAbout() {
        let error = KVMError.call(.setMemorySlot, .fileExists, about: "slot 3, [0x0, 0xfff]")
        #expect("\(error)".hasPrefix("KVM_SET_USER_MEMORY_REGION (slot 3, [0x0, 0xfff]) failed: "))
        #expect("\(error)".contains("EEXIST"))
    }

    @Test func everyUsedCapabilityHasANameAndAPurposeAndTheRequiredComeFirst() {
        let required = Capability.required
        #expect(Capability.uses.prefix(required.count).map(\.capability) == required)
        #expect(Capability.uses.prefix(required.count).allSatisfy { $0.isRequired })
        #expect(!Capability.uses.dropFirst(required.count).contains { $0.isRequired })
        #expect(Capability.uses.allSatisfy { $0.name.hasPrefix("KVM_CAP_") && !$0.purpose.isEmpty })
        #expect(Set(Capability.uses.map(\.capability)).count == Capability.uses.count)
    }
}
