import CTryCopy
import VMAddressSpace

/// Single values, in the byte order of x86. Those of 1, 2, 4 and 8 bytes are accessed in one instruction, so that one
/// at an address aligned to its size is never torn, whatever other threads and processors store there.
extension GuestMemory {
    /// Loads a value.
    /// - Parameter type: one of which every pattern of bits is a value, as the guest decides about the bits: integers and
    ///   structures of them, but not `Bool` or enumerations.
    @inlinable
    public func load<Value: BitwiseCopyable>(
        _ address: GuestAddress, as type: Value.Type = Value.self
    ) throws(GuestMemoryError) -> Value {
        let size = MemoryLayout<Value>.size
        if size == 1 || size == 2 || size == 4 || size == 8 {
            let word = try loadWord(address, size)
            // SAFETY: the low `size` bytes of `word` are the value's, the byte order being that of x86.
            return withUnsafeBytes(of: word) { $0.loadUnaligned(as: Value.self) }
        }
        return try withUnsafeTemporaryAllocation(of: type, capacity: 1) { (storage) throws(GuestMemoryError) in
            // Of its size, not its stride: behind the value there may be no memory.
            try read(address, into: UnsafeMutableRawBufferPointer(start: storage.baseAddress, count: size))
            // SAFETY: `Value` is bitwise copyable, and `read` has overwritten all of its bytes.
            return storage[0]
        }
    }

    /// Stores a value. A structure should have no padding: what lies in it is not defined, and the guest can see it.
    @inlinable
    public func store<Value: BitwiseCopyable>(_ value: Value, at address: GuestAddress) throws(GuestMemoryError) {
        let size = MemoryLayout<Value>.size
        if size == 1 || size == 2 || size == 4 || size == 8 {
            var word: UInt64 = 0
            // SAFETY: the value's bytes are the low ones of `word`, the byte order being that of x86.
            withUnsafeMutableBytes(of: &word) { $0.storeBytes(of: value, as: Value.self) }
            return try storeWord(word, address, size)
        }
        try withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { (storage) throws(GuestMemoryError) in
            storage.initializeElement(at: 0, to: value)
            // Of its size, not its stride: what lies behind the value is not the caller's.
            try write(UnsafeRawBufferPointer(start: storage.baseAddress, count: size), at: address)
        }
    }

    /// Replaces the value at an address by `desired` if it is `expected`, in one step no other processor can come between.
    /// - Returns: whether it was, and what was there.
    /// - Throws: `GuestMemoryError`, of kind `notAtomic` where the value is not of 1, 2, 4 or 8 bytes or the address is not
    ///   aligned to its size.
    @inlinable
    public func compareExchange<Value: FixedWidthInteger & BitwiseCopyable>(
        _ address: GuestAddress, expected: Value, desired: Value
    ) throws(GuestMemoryError) -> (exchanged: Bool, original: Value) {
        let found = try compareExchangeWord(
            address, MemoryLayout<Value>.size, expected: UInt64(truncatingIfNeeded: expected),
            desired: UInt64(truncatingIfNeeded: desired))
        let original = Value(truncatingIfNeeded: found)
        return (original == expected, original)
    }

    /// - Parameter size: 1, 2, 4 or 8.
    @usableFromInline
    func loadWord(_ address: GuestAddress, _ size: Int) throws(GuestMemoryError) -> UInt64 {
        if let first = start(address, UInt64(truncatingIfNeeded: size)), let word = loadWordAtOnce(first, size) {
            return word
        }
        return try loadWordWithCare(address, size)
    }

    /// - Parameter size: 1, 2, 4 or 8.
    @usableFromInline
    func storeWord(_ value: UInt64, _ address: GuestAddress, _ size: Int) throws(GuestMemoryError) {
        if let first = start(address, UInt64(truncatingIfNeeded: size)), storeWordAtOnce(value, first, size) { return }
        try storeWordWithCare(value, address, size)
    }

    @inline(__always)
    private func loadWordAtOnce(_ first: UInt64, _ size: Int) -> UInt64? {
        map.memory().withMap { map in
            guard let entry = map.table.direct(first, UInt64(truncatingIfNeeded: size), isWrite: false) else {
                return nil
            }
            let result = TryCopy.load(entry.hostAddress(first), size: size)
            return result.signal == 0 ? result.value : nil
        }
    }

    @inline(__always)
    private func storeWordAtOnce(_ value: UInt64, _ first: UInt64, _ size: Int) -> Bool {
        map.memory().withMap { map in
            guard let entry = map.table.direct(first, UInt64(truncatingIfNeeded: size), isWrite: true) else {
                return false
            }
            let result = TryCopy.store(value, to: entry.hostAddress(first), size: size)
            map.markDirty(entry, first, size)
            return result.signal == 0
        }
    }

    @inline(never)
    private func loadWordWithCare(_ address: GuestAddress, _ size: Int) throws(GuestMemoryError) -> UInt64 {
        try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 1) { (word) throws(GuestMemoryError) in
            word.initializeElement(at: 0, to: 0)
            try read(
                address, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(word)[..<size]))
            return word[0]
        }
    }

    @inline(never)
    private func storeWordWithCare(
        _ value: UInt64, _ address: GuestAddress, _ size: Int
    ) throws(GuestMemoryError) {
        try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 1) { (word) throws(GuestMemoryError) in
            word.initializeElement(at: 0, to: value)
            try write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(word)[..<size]), at: address)
        }
    }
}
