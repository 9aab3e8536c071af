import Testing
import VMAddressSpace
import VMMemory

@Suite("What errors of guest memory say")
struct GuestMemoryErrorTests {
    private func says(_ body: () throws -> Void) throws -> String {
        try AccessMemory.failure(body).description
    }

    @Test("Where there is no memory")
    func notMapped() throws {
        let memory = try AccessMemory.make(pages: 1)
        #expect(
            try says { _ = try memory.read(GuestAddress(0xff8), count: 16) }
                == "cannot read 16 bytes of guest memory at 0xff8: there is no memory at 0x1000")
        #expect(
            try says { try memory.store(1 as UInt8, at: GuestAddress(0x2000)) }
                == "cannot write 1 byte of guest memory at 0x2000: there is no memory at 0x2000")
        #expect(
            try says { _ = try memory.lock(GuestAddress(0), count: 0x2000, for: .reading) }
                == "cannot lock 8192 bytes of guest memory at 0x0: there is no memory at 0x1000")
        #expect(
            try says { _ = try memory.read(GuestAddress(0), count: -1) }
                == "cannot read 0 bytes of guest memory at 0x0: the number of bytes is negative")
        let large = try GuestMemory(anonymous: [AccessMemory.range(0, 128 << 20)])
        #expect(
            try says { _ = try large.read(GuestAddress(0x1000), count: 64 << 20 + 1) }
                == "cannot read 67108865 bytes of guest memory at 0x1000: at most 67108864 bytes go into an array; "
                + "read them into a buffer")
    }

    @Test("A handle is called by its name, and addresses are the guest's")
    func names() throws {
        let ring = try #require(AddressRange(start: GuestAddress(0x1800), count: 0x100))
        let memory = try AccessMemory.make(at: 0x1000, pages: 1).subrange(ring, name: "the receive ring")
        #expect(
            try says { _ = try memory.load(GuestAddress(0xfe), as: UInt32.self) }
                == "cannot read 4 bytes of the receive ring at 0x18fe: it ends at offset 0xff")
        #expect(
            try says { _ = try memory.compareExchange(GuestAddress(2), expected: 0 as UInt32, desired: 1) }
                == "cannot compare and exchange 4 bytes of the receive ring at 0x1802: only 1, 2, 4 or 8 bytes, aligned to "
                + "their number, can be accessed in one step")
    }

    @Test("What was done before")
    func completed() throws {
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1)),
            AccessMemory.region(0x1000, AccessPages(pages: 1), isReadOnly: true),
        ])
        #expect(
            try says { try memory.fill(GuestAddress(0xffc), count: 8, with: 1) }
                == "cannot fill 8 bytes of guest memory at 0xffc: the memory at 0x1000 is read-only (4 bytes done before)"
        )
    }

    @Test("What the backing and the host say")
    func reasons() throws {
        let file = try AccessPages(pages: 2, isFile: true)
        file.truncate(toPages: 1)
        let calls = AccessCalls(pages: 1, failingFrom: 0)
        let permissions = try PagePermissions(byteCount: 4096)
        permissions.set([], offset: 0, count: 4096)
        let memory = try AccessMemory.make([
            AccessMemory.region(0, file), AccessMemory.region(0x2000, calls),
            AccessMemory.region(0x3000, AccessPages(pages: 1, permissions: permissions)),
        ])
        #expect(
            try says { _ = try memory.load(GuestAddress(0x1000), as: UInt32.self) }
                == "cannot read 4 bytes of guest memory at 0x1000: a fault at 0x1000: the file behind it ends before, or its "
                + "file system is full")
        #expect(
            try says { _ = try memory.load(GuestAddress(0x2000), as: UInt32.self) }
                == "cannot read 4 bytes of guest memory at 0x2000: at 0x2000, the call was refused")
        #expect(
            try says { _ = try memory.load(GuestAddress(0x3000), as: UInt32.self) }
                == "cannot read 4 bytes of guest memory at 0x3000: access to the page at 0x3000 is not allowed")
        #expect(
            try says { _ = try memory.deviceAddress(of: GuestAddress(0), count: 16) }
                == "cannot tell a device's address for 16 bytes of guest memory at 0x0: the memory at 0x0 has no address to "
                + "give")
    }
}
