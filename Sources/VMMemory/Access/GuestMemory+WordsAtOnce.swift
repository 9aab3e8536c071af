import CTryCopy
import VMAddressSpace

/// The fast way of single values: one function for each size, none of which throws, so that they need few registers and no
/// room for an error. What they do not try (`TryCopy.notTried`), and what faults, is done with care.
extension GuestMemory {
    @usableFromInline func loadAtOnce8(_ address: GuestAddress) -> ctrycopy_result { loadAtOnce(address, 8) }
    @usableFromInline func loadAtOnce4(_ address: GuestAddress) -> ctrycopy_result { loadAtOnce(address, 4) }
    @usableFromInline func loadAtOnce2(_ address: GuestAddress) -> ctrycopy_result { loadAtOnce(address, 2) }
    @usableFromInline func loadAtOnce1(_ address: GuestAddress) -> ctrycopy_result { loadAtOnce(address, 1) }

    @usableFromInline func storeAtOnce8(_ word: UInt64, _ address: GuestAddress) -> ctrycopy_result {
        storeAtOnce(word, address, 8)
    }
    @usableFromInline func storeAtOnce4(_ word: UInt64, _ address: GuestAddress) -> ctrycopy_result {
        storeAtOnce(word, address, 4)
    }
    @usableFromInline func storeAtOnce2(_ word: UInt64, _ address: GuestAddress) -> ctrycopy_result {
        storeAtOnce(word, address, 2)
    }
    @usableFromInline func storeAtOnce1(_ word: UInt64, _ address: GuestAddress) -> ctrycopy_result {
        storeAtOnce(word, address, 1)
    }

    @inline(__always)
    private func loadAtOnce(_ address: GuestAddress, _ size: Int) -> ctrycopy_result {
        guard let first = start(address, UInt64(truncatingIfNeeded: size)) else { return TryCopy.notTried }
        return map.withMapAtOnce(otherwise: TryCopy.notTried) { map in
            guard let found = map.table.plain(first, UInt64(truncatingIfNeeded: size), isWrite: false) else {
                return TryCopy.notTried
            }
            return TryCopy.load(found.host, size: size)
        }
    }

    @inline(__always)
    private func storeAtOnce(_ value: UInt64, _ address: GuestAddress, _ size: Int) -> ctrycopy_result {
        guard let first = start(address, UInt64(truncatingIfNeeded: size)) else { return TryCopy.notTried }
        return map.withMapAtOnce(otherwise: TryCopy.notTried) { map in
            guard let found = map.table.plain(first, UInt64(truncatingIfNeeded: size), isWrite: true) else {
                return TryCopy.notTried
            }
            guard let bitmap = found.region.bitmap else {
                return TryCopy.store(value, to: found.host, size: size)
            }
            // All of it in one page, so that one mark does.
            guard found.offset & PageSize.size4K.mask <= PageSize.size4K.bytes &- UInt64(truncatingIfNeeded: size)
            else {
                return TryCopy.notTried
            }
            let result = TryCopy.store(value, to: found.host, size: size)
            bitmap.markPage(at: found.offset)
            return result
        }
    }
}
