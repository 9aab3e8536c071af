import VMAddressSpace
import VMHost

/// How much of a guest's RAM is registered.
public struct RegistrationSummary: Hashable, Sendable {
    /// The chunks with RAM in them.
    public var chunkCount = 0
    /// Those of them with all of their RAM registered.
    public var registeredChunkCount = 0
    /// In bytes.
    public var ramByteCount: UInt64 = 0
    /// In bytes.
    public var registeredByteCount: UInt64 = 0
    /// The threads that are registering or unregistering memory now. What they do is not yet counted in.
    public var activeThreadCount = 0
}

extension MemoryRegistrar {
    /// How much is registered now. It takes the lock and visits every chunk with RAM: for people, not for hot paths.
    public var summary: RegistrationSummary {
        ledger.withLock { ledger in
            var summary = RegistrationSummary(
                ramByteCount: ledger.ram.byteCount, registeredByteCount: ledger.registered.byteCount,
                activeThreadCount: ledger.claimCount)
            var counted: UInt64?
            for chunk in ledger.ram.ranges.lazy.flatMap({ self.geometry.chunks(of: $0) }) where chunk != counted {
                counted = chunk
                summary.chunkCount += 1
                if !incomplete.contains(chunk) { summary.registeredChunkCount += 1 }
            }
            return summary
        }
    }

    /// The guest memory that is registered, ascending: one range for each call of the target that registered it, or for
    /// what is left of that.
    public var registeredRanges: [MemoryRange] {
        ledger.withLock { $0.registered.ranges }
    }
}
