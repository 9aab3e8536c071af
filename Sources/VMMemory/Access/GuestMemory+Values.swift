import CThreads
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
            let result =
                switch size {
                case 8: loadAtOnce8(address)
                case 4: loadAtOnce4(address)
                case 2: loadAtOnce2(address)
                default: loadAtOnce1(address)
                }
            let word = result.signal == 0 ? result.value : try loadWithCare(address, size, after: result)
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
            let result =
                switch size {
                case 8: storeAtOnce8(word, address)
                case 4: storeAtOnce4(word, address)
                case 2: storeAtOnce2(word, address)
                default: storeAtOnce1(word, address)
                }
            if result.signal != 0 { try storeWithCare(word, address, size, after: result) }
            return
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

    /// - Parameter result: of the attempt to do it at once.
    @usableFromInline @inline(never)
    func loadWithCare(
        _ address: GuestAddress, _ size: Int, after result: ctrycopy_result
    ) throws(GuestMemoryError) -> UInt64 {
        try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 1) { (word) throws(GuestMemoryError) in
            word.initializeElement(at: 0, to: 0)
            // SAFETY: `word` has one element, of 8 bytes.
            let bytes = UnsafeMutableRawPointer(word.baseAddress.unsafelyUnwrapped)
            try transferWithCare(.read(into: bytes), address, size, after: TryCopy.fault(result))
            return word[0]
        }
    }

    /// - Parameter result: of the attempt to do it at once.
    @usableFromInline @inline(never)
    func storeWithCare(
        _ value: UInt64, _ address: GuestAddress, _ size: Int, after result: ctrycopy_result
    ) throws(GuestMemoryError) {
        try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 1) { (word) throws(GuestMemoryError) in
            word.initializeElement(at: 0, to: value)
            // SAFETY: `word` has one element, of 8 bytes.
            let bytes = UnsafeRawPointer(word.baseAddress.unsafelyUnwrapped)
            try transferWithCare(.write(from: bytes), address, size, after: TryCopy.fault(result))
        }
    }
}
