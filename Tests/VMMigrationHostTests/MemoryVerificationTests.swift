import TestSupport
import Testing
import VMAddressSpace
import VMMigration

/// Digests of memory at the switch-over: that they agree where all is well, and what becomes of a page that does not.
@Suite(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)), .serialized)
struct MemoryVerificationTests {
    /// Beyond all that the guest ever writes, so that no later round sends it.
    private static let quietPage = GuestAddress(60 << 20)

    @Test(arguments: [1, 3]) func `equal memory is moved, and the comparison is part of the downtime`(
        _ channels: Int
    ) throws {
        let move = try MovedGuest(MigrationParameters(verifiesMemory: true, channels: channels))
        #expect(move.failure == nil && move.arrival == nil)
        #expect(move.wasHandedOver)
        let stages = move.progress.downtimeStages
        #expect(stages.contains { $0.name == .compareMemory && $0.duration > .zero })
        #expect(stages.reduce(.zero) { $0 + $1.duration } <= move.progress.downtime ?? .zero)
    }

    @Test func `where nobody asks, nothing is compared`() throws {
        let move = try MovedGuest(MigrationParameters())
        #expect(move.failure == nil)
        #expect(!move.progress.downtimeStages.contains { $0.name == .compareMemory })
    }

    @Test func `a page that was written and not sent is found, and the guest goes on where it was`() throws {
        let move = try MovedGuest(MigrationParameters(verifiesMemory: true), losing: Self.quietPage)
        #expect(
            "\(try #require(move.failure))".contains("the memory of the block \"ram\" is not what it is at the source"))
        #expect("\(try #require(move.arrival))".contains("\"ram\""))
        #expect(move.progress.status == .failed)
        #expect(move.ranOn)
        #expect(!move.wasHandedOver)
    }

    @Test func `without the comparison, nobody would have noticed`() throws {
        let move = try MovedGuest(MigrationParameters(), losing: Self.quietPage)
        #expect(move.failure == nil && move.arrival == nil)
    }
}
