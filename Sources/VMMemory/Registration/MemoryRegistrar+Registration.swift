import VMAddressSpace
import VMHost

extension MemoryRegistrar {
    /// Registers what is missing of these chunks, in ascending order.
    @usableFromInline
    func complete(_ chunks: ClosedRange<UInt64>) throws(Failure) {
        var rest = chunks
        // Only chunks with RAM are visited, however wide the range is.
        while let chunk = incomplete.first(in: rest) {
            try complete(chunk)
            guard chunk < rest.upperBound else { return }
            rest = (chunk + 1)...rest.upperBound
        }
    }

    private func complete(_ chunk: UInt64) throws(Failure) {
        let pieces: [MemoryRange] = ledger.wait { ledger in
            guard ledger.claim(chunk...chunk) else { return nil }
            let pieces = ledger.unregistered(in: chunk)
            // Another thread has registered them, or the RAM is gone.
            if pieces.isEmpty { ledger.release(chunk...chunk) }
            return pieces
        }
        guard !pieces.isEmpty else { return }
        let attempt = register(pieces)
        ledger.change { ledger in
            ledger.markRegistered(attempt.registered)
            ledger.release(chunk...chunk)
            publish(chunk...chunk, of: ledger)
        }
        if let fault = attempt.fault { throw .registrationFailed(fault, notUndone: attempt.notUndone) }
    }

    /// What came of a chunk.
    private struct Attempt {
        /// What the target now has: all of the pieces, or what it would not undo.
        var registered: [MemoryRange] = []
        var fault: RegistrationFault<Target.Failure>?
        var notUndone: [RegistrationFault<Target.Failure>] = []
    }

    /// Registers all of the pieces or, where the target lets go of what it took, none.
    private func register(_ pieces: [MemoryRange]) -> Attempt {
        var attempt = Attempt()
        for piece in pieces {
            do throws(Target.Failure) {
                try target.register(geometry.registrationRange(of: piece))
                attempt.registered.append(piece)
            } catch {
                attempt.fault = RegistrationFault(range: piece, error: error)
                undo(&attempt)
                break
            }
        }
        return attempt
    }

    private func undo(_ attempt: inout Attempt) {
        for piece in attempt.registered.reversed() {
            do throws(Target.Failure) {
                try target.unregister(geometry.registrationRange(of: piece))
            } catch {
                attempt.notUndone.append(RegistrationFault(range: piece, error: error))
            }
        }
        attempt.registered = attempt.notUndone.map(\.range)
    }

    /// Makes the bits of chunks, which no thread has claimed, say whether RAM in them is to be registered. With the lock
    /// held.
    func publish(_ chunks: some Sequence<UInt64>, of ledger: borrowing RegistrationLedger) {
        for chunk in chunks {
            incomplete.fill(chunk...chunk, with: !ledger.unregistered(in: chunk).isEmpty)
        }
    }
}
