import CKVM
import Glibc

@testable import KVM

/// The kernel's side of a dirty ring, as `virt/kvm/dirty_ring.c` has it: it fills entries in, whether or not there is room,
/// and makes those free again that were given back to it. The mapping belongs to the
/// reader: nothing may be called once that is gone.
final class SimulatedRing {
    /// `KVM_DIRTY_GFN_F_DIRTY` and `KVM_DIRTY_GFN_F_RESET`, which Swift cannot import.
    private static let dirtyFlag: UInt32 = 1 << 0
    private static let resetFlag: UInt32 = 1 << 1

    private let entries: UnsafeMutablePointer<kvm_dirty_gfn>
    private let entryCount: Int
    /// Both count on and on.
    private var dirtyIndex: UInt32 = 0
    private var resetIndex: UInt32 = 0

    init(entryCount: Int) throws {
        let mapping = mmap(
            nil, entryCount * DirtyRing.entrySize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapping, mapping != MAP_FAILED else { throw MappingFailure(errno: errno) }
        entries = mapping.bindMemory(to: kvm_dirty_gfn.self, capacity: entryCount)
        self.entryCount = entryCount
    }

    struct MappingFailure: Error {
        let errno: Int32
    }

    /// The reader's side, to be made once.
    func reader() -> DirtyRing {
        DirtyRing(mapping: UnsafeMutableRawPointer(entries), entryCount: entryCount)
    }

    /// How many entries are neither free nor were made free: what the kernel compares with its limit.
    var used: Int { Int(dirtyIndex &- resetIndex) }

    func push(_ page: UInt64, slot: UInt32 = 0) {
        let entry = entries + Int(dirtyIndex) & (entryCount - 1)
        entry.pointee.slot = slot
        entry.pointee.offset = page
        entry.pointee.flags = Self.dirtyFlag
        dirtyIndex &+= 1
    }

    /// `KVM_RESET_DIRTY_RINGS`.
    /// - Returns: how many entries were made free.
    func reset() -> Int {
        var count = 0
        while count < entryCount {
            let entry = entries + Int(resetIndex) & (entryCount - 1)
            guard entry.pointee.flags & Self.resetFlag != 0 else { break }
            entry.pointee.flags = 0
            resetIndex &+= 1
            count += 1
        }
        return count
    }
}

extension DirtyRing {
    /// What `take` gives, in order.
    mutating func takeAll() -> (batch: Batch, pages: [TakenPage]) {
        var pages: [TakenPage] = []
        let batch = take { pages.append(TakenPage(slot: $0.rawValue, page: $1)) }
        return (batch, pages)
    }
}

struct TakenPage: Hashable {
    let slot: UInt32
    let page: UInt64
}
