import Glibc
import KVM
import TestSupport
import Testing

@Suite(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)))
struct SystemTests {
    @Test func theHostHasAllThatIsRequired() throws {
        let system = try KVMSystem()
        for use in Capability.uses where use.isRequired {
            let has = system.has(use.capability)
            #expect(has)
        }
        let (vcpus, slots) = (system.maximumVCPUs, system.maximumMemorySlots)
        #expect(vcpus >= 1 && slots >= 32)
    }

    @Test func aCapabilityThereIsNoneOfHasTheValueZero() throws {
        let value = try KVMSystem().value(of: Capability(rawValue: 0x7fff_fff0))
        #expect(value == 0)
    }

    @Test func whatIsLetGoOfClosesItsDescriptorsAndMappings() throws {
        func open() -> Int { (0..<1024).filter { fcntl($0, F_GETFD) >= 0 }.count }
        func use() throws { _ = try BareVM(code: [0xf4]).vcpu.id }
        try use()
        // Other tests run beside this one and open descriptors of their own, so it looks for growth by many.
        let before = open()
        for _ in 0..<60 { try use() }
        #expect(open() < before + 60)
    }

    @Test func aVCPUNumberIsGivenOnce() throws {
        let bare = try BareVM(code: [0xf4])
        #expect(throws: KVMError.self) { _ = try bare.vm.makeVCPU(id: 0) }
    }
}
