import Testing
import VMAddressSpace

@testable import VMRegions

/// A change that takes many steps, and the guest before it.
struct Scenario: Sendable, CustomTestStringConvertible {
    let name: String
    /// - Returns: the change.
    let prepare: @Sendable (TestGuest, BackingKind) throws -> RegionUpdate

    var testDescription: String { name }

    init(_ name: String, _ prepare: @escaping @Sendable (TestGuest, BackingKind) throws -> RegionUpdate) {
        self.name = name
        self.prepare = prepare
    }

    private init(
        _ name: String, ram frames: Range<UInt64> = 16..<48, _ parameters: MapParameters? = MapParameters(),
        _ change: @escaping @Sendable (inout RegionUpdate, TestGuest, RegionBacking) throws -> Void
    ) {
        self.init(name) { guest, kind in
            let backing = try guest.backing(kind, "ram", pages: 64)
            try guest.add("ram", frames, of: backing, parameters)
            var update = RegionUpdate()
            try change(&update, guest, backing)
            return update
        }
    }

    static let all: [Scenario] = [
        Scenario("a region is shown", nil) { update, guest, _ in update.map(guest["ram"]) },
        Scenario("a region is shown, its pages provided at once", nil) { update, guest, _ in
            update.map(guest["ram"], MapParameters(prefetch: true))
        },
        Scenario("a region is hidden") { update, guest, _ in update.unmap(guest["ram"]) },
        Scenario("a region is removed") { update, guest, _ in update.remove(guest["ram"]) },
        Scenario("a region is made read-only") { update, guest, _ in
            update.map(guest["ram"], MapParameters(isWritable: false))
        },
        Scenario("a region is made writable", MapParameters(isWritable: false)) { update, guest, _ in
            update.map(guest["ram"])
        },
        Scenario("a region may not be executed any more") { update, guest, _ in
            update.map(guest["ram"], MapParameters(isExecutable: false))
        },
        Scenario("a ROM is put over RAM") { update, guest, kind in
            let rom = try guest.backing(.readOnlyFile, "rom", pages: 8)
            try guest.add("rom", 24..<32, priority: 1, of: rom, nil)
            update.map(guest["rom"], MapParameters(isWritable: false))
        },
        Scenario("a ROM is taken off RAM") { update, guest, _ in
            let rom = try guest.backing(.readOnlyFile, "rom", pages: 8)
            try guest.add("rom", 24..<32, priority: 1, of: rom, MapParameters(isWritable: false))
            update.unmap(guest["rom"])
        },
        Scenario("RAM is put over RAM, at the same place") { update, guest, _ in
            let other = try guest.backing(.anonymous, "other", pages: 32)
            try guest.add("other", 16..<48, priority: 1, of: other, nil)
            update.map(guest["other"])
        },
        Scenario("a region moves away") { update, guest, _ in
            update.move(guest["ram"], to: GuestAddress(bytes(100)))
        },
        Scenario("a region moves up, partly to where it is") { update, guest, _ in
            update.move(guest["ram"], to: GuestAddress(bytes(20)))
        },
        Scenario("a region moves down, partly to where it is") { update, guest, _ in
            update.move(guest["ram"], to: GuestAddress(bytes(1)))
        },
        Scenario("a region moves partly over others") { update, guest, _ in
            let low = try guest.backing(.memfd, "low", pages: 8)
            try guest.add("low", 60..<68, of: low)
            let high = try guest.backing(.anonymous, "high", pages: 8)
            try guest.add("high", 80..<88, priority: 1, of: high)
            update.move(guest["ram"], to: GuestAddress(bytes(64)))
        },
        Scenario("a region becomes shorter") { update, guest, _ in update.resize(guest["ram"], to: bytes(8)) },
        Scenario("a region becomes longer and gets more memory") { update, guest, ram in
            update.resize(guest["ram"], to: bytes(40))
            update.addMapping(to: guest["ram"], at: bytes(32), of: ram, backingOffset: bytes(48), count: bytes(8))
        },
        Scenario("a mapping is cut in two by another") { update, guest, _ in
            let other = try guest.backing(.copyOnWrite, "other", pages: 8)
            update.addMapping(to: guest["ram"], at: bytes(8), of: other, count: bytes(8))
        },
        Scenario("a mapping is cut in two by a part of it that is read-only") { update, guest, ram in
            update.addMapping(
                to: guest["ram"], at: bytes(8), of: ram, backingOffset: bytes(8), count: bytes(8), isWritable: false)
        },
        Scenario("memory is taken out of the middle") { update, guest, _ in
            update.removeMappings(from: guest["ram"], at: bytes(4), count: bytes(8))
        },
        Scenario("what was there comes back beside what never was seen") { update, guest, ram in
            try guest.apply { $0.removeMappings(from: guest["ram"], at: bytes(4), count: bytes(8)) }
            update.addMapping(to: guest["ram"], of: ram, count: bytes(32))
        },
        Scenario("two regions change places") { update, guest, _ in
            let other = try guest.backing(.anonymous, "other", pages: 32)
            try guest.add("other", 100..<132, of: other)
            update.move(guest["ram"], to: GuestAddress(bytes(100)))
            update.move(guest["other"], to: GuestAddress(bytes(16)))
        },
        Scenario("several regions change at once") { update, guest, ram in
            let other = try guest.backing(.memfd, "other", pages: 32)
            try guest.add("low", 4..<8, priority: 1, of: other)
            try guest.add("device", 40..<56, priority: 2)
            try guest.add("high", 60..<70, of: other, page: 8, nil)
            update.remove(guest["low"])
            update.map(guest["device"])
            update.map(guest["high"], MapParameters(isWritable: false))
            update.removeMappings(from: guest["ram"], at: 0, count: bytes(2))
            update.addMapping(to: guest["ram"], at: 0, of: other, backingOffset: bytes(20), count: bytes(1))
            update.move(guest["ram"], to: GuestAddress(bytes(30)))
        },
    ]
}

/// With what a scenario is played.
struct Cast: Sendable, CustomTestStringConvertible {
    let kind: BackingKind
    let partitionCount: Int

    var testDescription: String { "\(kind), \(partitionCount) partitions" }

    static let all =
        BackingKind.writable.map { Cast(kind: $0, partitionCount: 1) }
        + [Cast(kind: .anonymous, partitionCount: 2), Cast(kind: .memfd, partitionCount: 0)]
}
