import CMeasuring
import CMemoryBaseline
import VMAddressSpace
import VMMemory

extension MemoryCase {
    /// Exposing memory that is registered already: what every use of an address pays.
    static func registrations() throws -> [MemoryCase] {
        let size: UInt64 = 64 << 30
        let (stride, mask) = (UInt64(1 << 30), UInt64(63))
        let ram = try MemoryRange(start: GuestAddress(0), count: size)
        let registrar = try MemoryRegistrar(target: NothingToRegister(), ram: [ram])
        try registrar.expose(ram)
        let baseline = BaselineRegistrar(byteCount: size)
        return [
            MemoryCase("registrar.hit") {
                try Batches.compare(
                    ours: { count in
                        for index in 0..<count {
                            let address = GuestAddress(measuring_opaque((index & mask) &* stride))
                            try registrar.expose(address, count: measuring_opaque(4096))
                        }
                    },
                    baseline: { baseline_registrar_expose(baseline.pointer, stride, mask, $0) })
            }
        ]
    }
}

/// Somebody whose registrations cost nothing.
private struct NothingToRegister: MemoryRegistration {
    var canSplit: Bool { true }
    func register(_ range: MemoryRange) {}
    func unregister(_ range: MemoryRange) {}
}
