import CKVM
import KVM
import SystemPackage
import TestSupport
import Testing
import VMAddressSpace
import VMMemory

/// A VM whose one slot has a dirty log, and a vCPU that writes pages of it.
struct LoggedVM: ~Copyable {
    let vm: VirtualMachine
    let memory: GuestMemory
    let slot: MemorySlotID
    let vcpu: VCPU
    /// Keeps the device open.
    private let system: KVMSystem

    /// The pages that each run writes.
    static let written: Set<UInt64> = [2, 66, 67]

    /// Writes these, then stops; and once more when it is run again:
    /// again: mov byte [0x2000], 0x77; mov byte es:[0x2000], 0x77; mov byte es:[0x3000], 0x77; hlt; jmp again
    private static let writingThree: [UInt8] = [
        0xc6, 0x06, 0x00, 0x20, 0x77, 0x26, 0xc6, 0x06, 0x00, 0x20, 0x77, 0x26, 0xc6, 0x06, 0x00, 0x30, 0x77, 0xf4,
        0xeb, 0xec,
    ]

    /// - Parameters:
    ///   - pageCount: of the slot.
    ///   - code: put at address 0x1000, where the vCPU starts in real mode, with ES at page 64; nil for writing three pages.
    ///   - prepare: the VM, before it has vCPUs and slots.
    init(
        pageCount: UInt64 = 100, code: [UInt8]? = nil, flags: MemorySlot.Flags = .logDirtyPages,
        prepare: (borrowing VirtualMachine, borrowing KVMSystem) throws -> Void = { _, _ in }
    ) throws {
        let system = try KVMSystem()
        let vm = try system.makeVirtualMachine()
        try prepare(vm, system)
        let memory = try GuestMemory(anonymous: [MemoryRange(start: GuestAddress(0), count: pageCount << 12)])
        try memory.write(code ?? Self.writingThree, at: GuestAddress(0x1000))
        let slot = try vm.addMemorySlot(memory.slot(flags: flags))
        let vcpu = try vm.makeVCPU(id: 0)
        var special = try vcpu.specialRegisters()
        special.cs.base = 0
        special.cs.selector = 0
        special.es.base = 64 << 12
        special.es.selector = 64 << 8
        try vcpu.setSpecialRegisters(special)
        var registers = GeneralRegisters()
        registers.rip = 0x1000
        registers.rflags = 2
        try vcpu.setGeneralRegisters(registers)
        self.vm = vm
        self.memory = memory
        self.slot = slot
        self.vcpu = vcpu
        self.system = system
    }

    /// Runs the guest up to where it stops.
    borrowing func run(sourceLocation: SourceLocation = #_sourceLocation) throws {
        guard case .halt = try vcpu.run() else {
            Issue.record("the guest did not run to its end", sourceLocation: sourceLocation)
            return
        }
    }

    /// The pages that the slot's log has. Bits past the slot's last page are pages, too.
    borrowing func logged() throws(KVMError) -> Set<UInt64> { try logged(slot, wordCount: 2) }

    borrowing func logged(_ id: MemorySlotID, wordCount: Int) throws(KVMError) -> Set<UInt64> {
        var words = [UInt64](repeating: .max, count: wordCount)
        try words.withUnsafeMutableBufferPointer { (words) throws(KVMError) in try vm.getDirtyLog(id, into: words) }
        var pages: Set<UInt64> = []
        for (index, word) in words.enumerated() {
            for bit in 0..<64 where word >> UInt64(bit) & 1 == 1 { pages.insert(UInt64(index * 64 + bit)) }
        }
        return pages
    }

    borrowing func clear(_ words: [UInt64], from firstPage: UInt64 = 0) throws(KVMError) {
        try clear(slot, words, from: firstPage)
    }

    borrowing func clear(_ id: MemorySlotID, _ words: [UInt64], from firstPage: UInt64 = 0) throws(KVMError) {
        try words.withUnsafeBufferPointer { (words) throws(KVMError) in
            try vm.clearDirtyLog(id, firstPage: firstPage, words: words)
        }
    }
}

/// Which call of the kernel failed, and why; nil where none did.
struct CallFailure: Equatable {
    let call: KVMCall
    let errno: Errno

    init(_ call: KVMCall, _ errno: Errno) {
        self.call = call
        self.errno = errno
    }

    /// Of `body`.
    init?(_ body: () throws(KVMError) -> Void) {
        do throws(KVMError) {
            try body()
            return nil
        } catch .call(let call, let errno, _) {
            self.init(call, errno)
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// For tests of something that not all hosts have.
    static func needs(_ capability: Capability, _ name: String) -> Self {
        .enabled(Comment(rawValue: "needs \(name), which this host's KVM does not have")) {
            guard let system = try? KVMSystem() else { return false }
            return system.has(capability)
        }
    }

    static var needsRings: Self {
        .enabled("needs dirty rings, which this host's KVM does not have") {
            guard let system = try? KVMSystem() else { return false }
            return system.maximumDirtyRingEntryCount >= DirtyRing.minimumEntryCount
        }
    }
}
