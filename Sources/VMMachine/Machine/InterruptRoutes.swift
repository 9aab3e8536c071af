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

    /// Makes this the pin's route, instead of the one before.
    func set(pin: Int, _ message: InterruptMessage) {
        messages.withLock { messages in
            messages[pin] = message
            if !apply(messages) {
                // A guest can compose a message that the kernel refuses, as no local APIC would take it. The kernel takes
                // all routes or none, so that one is left out.
                messages[pin] = nil
                _ = apply(messages)
            }
        }
    }

    private func apply(_ messages: [Int: InterruptMessage]) -> Bool {
        let routes = messages.sorted { $0.key < $1.key }.map { pin, message in
            InterruptRoute.message(gsi: UInt32(pin), address: message.address, data: message.data)
        }
        return (try? vm.vm.setInterruptRoutes(routes)) != nil
    }
}
