import VMAddressSpace
import VMHost

extension MemoryRegistrar {
    /// Ends the registration of what is registered in `range`; none of it need be, or be RAM. The RAM stays, and is
    /// registered again when next exposed. Waits for registrations under way in the chunks of `range`.
    ///
    /// Nothing in `range` may be in use: see the order that callers keep.
    ///
    /// - Throws: `wouldSplit`, before anything is changed; `unregistrationFailed` where the target would not let go of a
    ///   part: what is below it is unregistered, it and what is above are not. The same call then goes on from there.
    public func unregister(_ range: MemoryRange) throws(Failure) {
        let chunks = geometry.chunks(of: range)
        let pieces = try begin(unregistering: range, in: chunks) { _ throws(Failure) in }
        let attempt = unregister(pieces)
        ledger.change { ledger in
            ledger.markUnregistered(attempt.unregistered)
            ledger.release(chunks)
            publish(self.chunks(of: pieces), of: ledger)
        }
        if let fault = attempt.fault { throw .unregistrationFailed(fault) }
    }

    /// Ends the registration of what is registered in `range`, as `unregister(_:)` does, and takes it out of the RAM.
    /// Until it returns, those who expose other RAM in the same chunks wait.
    ///
    /// Nothing in `range` may be in use, and nothing of it be exposed any more: see the order that callers keep.
    ///
    /// - Parameter range: RAM; all of one range added, a part of one, or of several that adjoin.
    /// - Throws: `notRAM` or `wouldSplit`, before anything is changed; `unregistrationFailed` as `unregister(_:)`, with
    ///   all of the RAM still there.
    public func removeRAM(_ range: MemoryRange) throws(Failure) {
        let chunks = geometry.chunks(of: range)
        let pieces = try begin(unregistering: range, in: chunks) { ledger throws(Failure) in
            if let missing = ledger.ram.gaps(in: range).first { throw .notRAM(range, missing: missing) }
        }
        let attempt = unregister(pieces)
        ledger.change { ledger in
            ledger.markUnregistered(attempt.unregistered)
            ledger.release(chunks)
            guard attempt.fault == nil else { return publish(self.chunks(of: pieces), of: ledger) }
            ledger.removeRAM(range)
            // Those between the first and the last were all in `range`.
            if chunks.count > 2 { incomplete.fill((chunks.lowerBound + 1)...(chunks.upperBound - 1), with: false) }
            publish([chunks.lowerBound, chunks.upperBound], of: ledger)
        }
        if let fault = attempt.fault { throw .unregistrationFailed(fault) }
    }

    /// Claims the chunks, once `check` finds nothing against it, and turns hits in them into misses.
    /// - Returns: what is registered in `range`, ascending.
    private func begin(
        unregistering range: MemoryRange, in chunks: ClosedRange<UInt64>,
        _ check: (borrowing RegistrationLedger) throws(Failure) -> Void
    ) throws(Failure) -> [MemoryRange] {
        try ledger.wait { ledger throws(Failure) in
            guard ledger.claim(chunks) else { return nil }
            do throws(Failure) {
                try check(ledger)
                try checkSplits(of: range, ledger)
            } catch {
                ledger.release(chunks)
                throw error
            }
            let pieces = ledger.registered.clipped(to: range)
            for chunk in self.chunks(of: pieces) { incomplete.fill(chunk...chunk, with: true) }
            return pieces
        }
    }

    private func checkSplits(of range: MemoryRange, _ ledger: borrowing RegistrationLedger) throws(Failure) {
        guard !target.canSplit else { return }
        for registered in ledger.registered.overlapping(range) where !range.contains(registered) {
            throw .wouldSplit(range, registered: registered)
        }
    }

    /// Unregisters piece by piece, up to the first that fails.
    private func unregister(
        _ pieces: [MemoryRange]
    ) -> (unregistered: [MemoryRange], fault: RegistrationFault<Target.Failure>?) {
        var unregistered: [MemoryRange] = []
        for piece in pieces {
            do throws(Target.Failure) {
                try target.unregister(geometry.registrationRange(of: piece))
                unregistered.append(piece)
            } catch {
                return (unregistered, RegistrationFault(range: piece, error: error))
            }
        }
        return (unregistered, nil)
    }

    /// Of pieces each of which is in one chunk.
    private func chunks(of pieces: [MemoryRange]) -> [UInt64] {
        pieces.map { geometry.chunks(of: $0).lowerBound }
    }
}
