import Glibc
import SystemPackage
import VMHost

/// The thread that hears of faults. It never touches guest memory, or it would wait for itself.
final class FaultThread: Sendable {
    private let memory: FaultedMemory
    private let ending: Cancellation
    private let thread = Monitor<pthread_t?>(nil)
    private let onFault: @Sendable (PageRun, _ address: UInt) throws(MigrationError) -> Void
    private let onIdle: @Sendable () -> Void
    private let onFailure: @Sendable (MigrationError) -> Void

    private static let stackSize = 256 << 10
    /// How long nobody faults before `onIdle` is called.
    private static let idleTime = Duration.seconds(1)

    /// - Parameters:
    ///   - onFault: called in the thread, with a page that somebody waits for.
    ///   - onIdle: called in the thread while there is nobody.
    ///   - onFailure: called in the thread; it ends then.
    init(
        _ memory: FaultedMemory, onFault: @escaping @Sendable (PageRun, _ address: UInt) throws(MigrationError) -> Void,
        onIdle: @escaping @Sendable () -> Void, onFailure: @escaping @Sendable (MigrationError) -> Void
    ) throws(MigrationError) {
        self.memory = memory
        self.onFault = onFault
        self.onIdle = onIdle
        self.onFailure = onFailure
        ending = try MigrationError.wrap(MigrationError.transport) { () throws(TransportError) in try Cancellation() }
        do throws(Errno) {
            let started = try HostThread.start(stackSize: Self.stackSize) { [self] in run() }
            thread.withLock { $0 = started }
        } catch {
            throw .thread(error)
        }
    }

    /// Waits for its end. Nothing is called afterwards.
    func end() {
        ending.cancel()
        let started = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let started { pthread_join(started, nil) }
    }

    private func run() {
        while true {
            do throws(TransferFailure) {
                try ending.wait(
                    for: POLLIN, on: memory.userFault.descriptor, until: .now.advanced(by: Self.idleTime))
            } catch .stalled {
                onIdle()
                continue
            } catch .system(let errno) {
                return onFailure(.userFault(.read(errno)))
            } catch {
                return
            }
            do throws(MigrationError) {
                try takeFaults()
            } catch {
                return onFailure(error)
            }
        }
    }

    private func takeFaults() throws(MigrationError) {
        while let address = try nextFault() {
            if let page = memory.map.page(at: address) { try onFault(page, address) }
        }
    }

    private func nextFault() throws(MigrationError) -> UInt? {
        do throws(Errno) { return try memory.userFault.nextFault() } catch { throw .userFault(.read(error)) }
    }
}
