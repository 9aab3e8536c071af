import Testing
import VMAddressSpace
import VMMemory

@Suite("Single values in guest memory")
struct GuestMemoryValuesTests {
    /// Nine bytes that an array lays out in sixteen.
    private struct Odd: Equatable, BitwiseCopyable {
        var word: UInt64
        var byte: UInt8
    }

    private struct Three: Equatable, BitwiseCopyable {
        var low: UInt16
        var high: UInt8
    }

    @Test("Values are laid out as x86 does")
    func layout() throws {
        let memory = try AccessMemory.make(pages: 1)
        try memory.store(0x0807_0605_0403_0201 as UInt64, at: GuestAddress(3))
        #expect(try memory.read(GuestAddress(0), count: 12) == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0])
        #expect(try memory.load(GuestAddress(3)) as UInt8 == 1)
        #expect(try memory.load(GuestAddress(3)) as UInt16 == 0x0201)
        #expect(try memory.load(GuestAddress(3)) as UInt32 == 0x0403_0201)
        try memory.store(-2 as Int16, at: GuestAddress(0x100))
        #expect(try memory.load(GuestAddress(0x100)) as Int16 == -2)
        #expect(try memory.read(GuestAddress(0x100), count: 3) == [0xfe, 0xff, 0])
    }

    @Test("A value of an odd size touches its own bytes alone")
    func oddSizes() throws {
        let memory = try AccessMemory.make(pages: 1)
        try memory.fill(GuestAddress(0), count: 4096, with: 0xaa)
        try memory.store(Odd(word: 0x1122_3344_5566_7788, byte: 0x99), at: GuestAddress(1))
        #expect(
            try memory.read(GuestAddress(0), count: 12)
                == [0xaa, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x99, 0xaa, 0xaa])
        try memory.store(Three(low: 0x0102, high: 3), at: GuestAddress(0x20))
        #expect(try memory.read(GuestAddress(0x20), count: 4) == [2, 1, 3, 0xaa])
        #expect(try memory.load(GuestAddress(1)) as Odd == Odd(word: 0x1122_3344_5566_7788, byte: 0x99))
        #expect(try memory.load(GuestAddress(0x20)) as Three == Three(low: 0x0102, high: 3))
    }

    @Test("A value of an odd size may be the last of all memory")
    func oddSizesAtEnd() throws {
        let memory = try AccessMemory.make(pages: 1)
        try memory.store(Odd(word: 1, byte: 2), at: GuestAddress(4096 - 9))
        #expect(try memory.load(GuestAddress(4096 - 9)) as Odd == Odd(word: 1, byte: 2))
        try memory.store(Three(low: 3, high: 4), at: GuestAddress(4096 - 3))
        #expect(try memory.load(GuestAddress(4096 - 3)) as Three == Three(low: 3, high: 4))
        #expect(throws: GuestMemoryError.self) { try memory.store(Odd(word: 1, byte: 2), at: GuestAddress(4096 - 8)) }
        #expect(throws: GuestMemoryError.self) { try memory.load(GuestAddress(4096 - 2), as: Three.self) }
    }

    @Test("Values wider than a register are loaded and stored whole")
    func wide() throws {
        let memory = try AccessMemory.make(at: 0x1000, pages: 2)
        let value = SIMD8<UInt64>(1, 2, 3, 4, 5, 6, 7, 8)
        try memory.store(value, at: GuestAddress(0x1fe1))
        #expect(try memory.load(GuestAddress(0x1fe1)) as SIMD8<UInt64> == value)
        #expect(throws: GuestMemoryError.self) { try memory.store(value, at: GuestAddress(0x2fc1)) }
    }
}
