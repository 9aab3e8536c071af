import Glibc
import SystemPackage
import VMHost

/// What is left to do when it is decided what becomes of the guest: to see that the source knows.
extension IncomingMigration {
    private static let stackSize: Int = 256 << 10
    /// How long a source is waited for where somebody has told this side to end.
    private static let farewellTime = Duration.seconds(2)
    /// How long it is waited for when the guest has ended: it finds out that a link is silent by the time without a byte alone
    /// (`MigrationParameters.stallTimeout`, 10 s unless it is told otherwise), and then has to connect and ask.
    private static let endTime = Duration.seconds(30)

    /// The guest runs here.
    func settle(_ arrived: ArrivingMachine.Arrived, _ desk: HandOverDesk?, _ main: DestinationChannel) {
        desk?.close()
        if let following = arrived.following { return following.begin(on: main) }
        guard let desk else { return stopListening() }
        settling.change { $0 = false }
        do throws(Errno) {
            let thread = try HostThread.start(stackSize: Self.stackSize) { [self] in
                awaitSettled(desk, main)
                stopListening()
                settling.change { $0 = true }
            }
            pthread_detach(thread)
        } catch {
            stopListening()
            settling.change { $0 = true }
        }
    }

    private func awaitSettled(_ desk: HandOverDesk, _ main: DestinationChannel) {
        guard !desk.decision.isSettled else { return }
        main.connection.stallTimeout = stallTimeout
        do throws(MigrationError) {
            _ = try main.nextFrame()
        } catch {
            onNotice(
                "\(uri): the guest runs here, and its source may not have heard so (\(error)); it is told where it asks"
            )
            desk.answer(for: answerTimeout, [])
        }
    }

    /// Waits a while, when the guest has ended, for a source that may not know yet that it ran here.
    func waitForSettling() {
        _ = settling.wait(until: .now.advanced(by: Self.endTime)) { $0 != false ? true : nil }
    }

    /// The guest does not run here and never will, which the source may have to hear if it has given it away.
    func answer(at desk: HandOverDesk, after error: MigrationError) {
        guard desk.decision.isReady, !desk.decision.isSettled else { return }
        switch error {
        case .refused(by: .source, _): return
        case .cancelled: desk.answer(for: Self.farewellTime, [])
        default:
            onNotice(
                "\(uri): the guest does not run here (\(error)); its source, which may have given it away, is told where it "
                    + "asks, for \(answerTimeout)")
            desk.answer(for: answerTimeout, [cancellation])
        }
    }
}
