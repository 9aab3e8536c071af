import Synchronization
import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("Snapshots of a memory map")
struct SnapshotTests {
    private func twoRegions() throws -> RegionMap {
        try RegionMap([TestRegions.bare(0, 0x1000), TestRegions.bare(0x10_0000, 0x1000)])
    }

    @Test("A snapshot, and what was retained of it, show the regions of the map in their order")
    func iteration() throws {
        let ranges = try [TestRegions.range(0, 0x1000), TestRegions.range(0x10_0000, 0x1000)]
        let memory = GuestMemoryAtomic(try twoRegions())
        let snapshot = memory.memory()
        snapshot.withMap { map in
            #expect(map.regions.map(\.range) == ranges)
            #expect(map.region(containing: GuestAddress(0x10_0000))?.range == ranges[1])
            #expect(map.region(containing: GuestAddress(0x1000)) == nil)
        }
        let kept = snapshot.retained()
        #expect(kept.regions.map(\.range) == ranges)
        // What was kept can be published again.
        let other = GuestMemoryAtomic(kept)
        #expect(other.memory().withMap { $0.regions.map(\.range) } == ranges)
    }

    @Test("A snapshot lives on when the memory it came from is gone")
    func outlivesSource() {
        let cage = CanaryCage(capacity: 8)
        var memory: GuestMemoryAtomic? = GuestMemoryAtomic(cage.makeMap(content: 7))
        let box = memory.map { BoxedSnapshot($0) }
        memory = nil
        #expect(box?.snapshot.withMap { $0.content } == 7)
        #expect(cage.livingCount == 1)
    }

    @Test("A map lives on where it was retained, when its snapshot and its memory are gone")
    func retained() {
        let cage = CanaryCage(capacity: 8)
        var kept: CanaryMap? = {
            let memory = GuestMemoryAtomic(cage.makeMap(content: 7))
            return memory.memory().retained()
        }()
        #expect(kept?.content == 7)
        #expect(cage.livingCount == 1)
        kept = nil
        #expect(cage.settles(at: 0))
    }

    @Test("Hotplug: an older snapshot goes on showing two regions, a later one shows five")
    func hotplug() throws {
        let memory = GuestMemoryAtomic(try twoRegions())
        let before = memory.memory()
        let hotplugged = try [0x8000, 0x4000, 0xc000].map { try TestRegions.bare($0, 0x1000) }
        let update = memory.lock()
        var map = update.map
        for region in hotplugged { map = try map.inserting(region) }
        #expect(throws: RegionMapError.overlap(hotplugged[2].range, hotplugged[2].range)) {
            _ = try map.inserting(hotplugged[2])
        }
        update.replace(with: map)
        #expect(before.withMap { $0.regions.count } == 2)
        #expect(memory.memory().withMap { $0.regions.count } == 5)
    }

    @Test("A map that is read is not freed; once replaced, it is as soon as its own last snapshot goes")
    func freedWithLastSnapshot() {
        let cage = CanaryCage(capacity: 8)
        let memory = GuestMemoryAtomic(cage.makeMap())
        var first: BoxedSnapshot? = BoxedSnapshot(memory)
        memory.update { $0.makeNext() }
        var second: [BoxedSnapshot] = [BoxedSnapshot(memory), BoxedSnapshot(memory)]
        memory.update { $0.makeNext() }
        #expect(cage.livingCount == 3)
        second.removeFirst()
        #expect(cage.livingCount == 3)
        second = []
        #expect(cage.settles(at: 2))
        #expect(first?.snapshot.withMap { cage.isAlive($0.number) } == true)
        first = nil
        #expect(cage.settles(at: 1))
        memory.update { $0.makeNext() }
        #expect(cage.settles(at: 1))
    }

    @Test("A map that is put into force again is freed once it is replaced for good")
    func putIntoForceAgain() {
        let cage = CanaryCage(capacity: 8)
        let memory = GuestMemoryAtomic(cage.makeMap())
        var snapshots: [BoxedSnapshot] = [BoxedSnapshot(memory)]
        do {
            let map = memory.memory().retained()
            memory.update { $0.makeNext() }
            memory.update { _ in map }
            memory.update { $0 }
        }
        snapshots.append(BoxedSnapshot(memory))
        #expect(cage.settles(at: 1))
        snapshots.removeFirst()
        #expect(memory.memory().withMap { cage.isAlive($0.number) })
        memory.update { $0.makeNext() }
        #expect(cage.livingCount == 2)
        snapshots = []
        #expect(cage.settles(at: 1))
    }

    @Test("One map can be in force in two places")
    func sharedMap() {
        let cage = CanaryCage(capacity: 8)
        let map = cage.makeMap(content: 3)
        let (one, other) = (GuestMemoryAtomic(map), GuestMemoryAtomic(map))
        let snapshot = other.memory()
        one.update { $0.makeNext() }
        #expect(snapshot.withMap { $0.content } == 3)
        other.update { $0.makeNext() }
        #expect(snapshot.withMap { cage.isAlive($0.number) })
        #expect(one.memory().withMap { $0.content } == 4)
    }

    @Test("The end of a map may read, replace and wait for other maps")
    func endUsesMemory() {
        let cage = CanaryCage(capacity: 16)
        let inner = GuestMemoryAtomic(cage.makeMap(content: 1))
        let end: @Sendable () -> Void = {
            inner.update { $0.makeNext() }
            _ = inner.memory().retained()
            try? inner.synchronize()
        }
        let memory = GuestMemoryAtomic(cage.makeMap(onEnd: end))
        var snapshot: BoxedSnapshot? = BoxedSnapshot(memory)
        memory.update { _ in cage.makeMap(onEnd: end) }
        #expect(inner.memory().withMap { $0.content } == 1)
        snapshot = nil
        #expect(snapshot == nil)
        #expect(eventually { inner.memory().withMap { $0.content } == 2 })
        memory.update { _ in cage.makeMap() }
        #expect(eventually { inner.memory().withMap { $0.content } == 3 })
        #expect(cage.settles(at: 2))
    }

    @Test("The end of a map may end the memory it owns, as deep as they are nested")
    func nestedMemory() {
        final class Nest: Sendable {
            let inner: GuestMemoryAtomic<Nest>?
            let map: CanaryMap
            init(_ map: CanaryMap, _ inner: GuestMemoryAtomic<Nest>?) {
                self.map = map
                self.inner = inner
            }
        }
        let cage = CanaryCage(capacity: 64)
        var memory: GuestMemoryAtomic<Nest>?
        for _ in 0..<32 { memory = GuestMemoryAtomic(Nest(cage.makeMap(), memory)) }
        #expect(cage.livingCount == 32)
        memory = nil
        #expect(memory == nil)
        #expect(cage.settles(at: 0))
    }
}
