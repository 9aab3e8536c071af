import KVM
import Synchronization
import VMDevices

/// Tells the kernel which messages the monitor's I/O APIC sends, so that it reports the ends of level-triggered ones
/// (KVM API document, `KVM_CAP_SPLIT_IRQCHIP`).
final class InterruptRoutes: Sendable {
    private let vm: SharedVM
    private let messages = Mutex<[Int: InterruptMessage]>([:])

    init(_ vm: SharedVM) {
        self.vm = vm
    }

    /// - Parameter message: nil while the pin is masked.
    func set(pin: Int, _ message: InterruptMessage?) {
        messages.withLock { messages in
            messages[pin] = message
            let routes = messages.sorted { $0.key < $1.key }.map { pin, message in
                InterruptRoute.message(gsi: UInt32(pin), address: message.address, data: message.data)
            }
            // A message the kernel refuses is one that no local APIC would take.
            try? vm.vm.setInterruptRoutes(routes)
        }
    }
}
