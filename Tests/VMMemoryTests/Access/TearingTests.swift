import Glibc
import TestSupport
import Testing
import VMAddressSpace
import VMMemory

/// Two threads at the same few bytes, one of which writes nothing but all zeros and all ones.
@Suite("Aligned values are never torn", .timeLimit(.minutes(10)))
struct TearingTests {
    private typealias Value = FixedWidthInteger & UnsignedInteger & BitwiseCopyable & Sendable

    /// How a value is accessed.
    enum Way: String, CaseIterable, Sendable {
        /// `load` and `store`.
        case value
        /// `read` and `write` of as many bytes.
        case bytes
        /// As a page list of one frame.
        case pages
        /// As much as there is.
        case available
    }

    /// The values on both sides of a junction of two regions, in memory that is accessed at once and in pieces.
    @Test(
        "Beside a junction of two regions", arguments: Way.allCases,
        [AccessMemoryKind.fragments, .permitted, .customBitmap])
    func junction(_ way: Way, _ kind: AccessMemoryKind) throws {
        let contract = try kind.make()
        let junction = contract.start + 0x1000
        func check<T: Value>(_ type: T.Type) throws {
            for address in [junction - UInt64(T.bitWidth / 8), junction] {
                try race(contract.memory, GuestAddress(address), type, way, rounds: 1500)
            }
        }
        try check(UInt8.self)
        try check(UInt16.self)
        try check(UInt32.self)
        try check(UInt64.self)
    }

    @Test("In pages that come and go", arguments: [Way.value, .bytes])
    func comingAndGoing(_ way: Way) throws {
        let pages = try AccessPages(pages: 1) { _, _, _ in
            sched_yield()
            return .retry
        }
        let memory = try AccessMemory.make([AccessMemory.region(0, pages, bitmap: AccessPageSet())])
        let signal = AccessSignal()
        try onThreads([
            {
                defer { signal.end() }
                try race(memory, GuestAddress(8), UInt64.self, way, rounds: 2000) {
                    pages.faultCount.load(ordering: .relaxed) >= 20
                }
            },
            {
                while signal.isRunning {
                    pages.protect(0..<1, PROT_NONE)
                    usleep(20)
                    pages.protect(0..<1, PROT_READ | PROT_WRITE)
                    usleep(20)
                }
            },
        ])
        #expect(pages.faultCount.load(ordering: .relaxed) >= 20)
    }

    @Test("The aligned halves of a value that lies across a junction")
    func halves() throws {
        let memory = try AccessMemory.make([
            AccessMemory.region(0, AccessPages(pages: 1)), AccessMemory.region(0x1000, AccessPages(pages: 1)),
        ])
        let address = GuestAddress(0xffc)
        let signal = AccessSignal()
        try onThreads([
            {
                defer { signal.end() }
                for round in 0..<5000 { try memory.store(round % 2 == 0 ? 0 : UInt64.max, at: address) }
            },
            {
                while signal.isRunning {
                    let value = try memory.load(address, as: UInt64.self)
                    for half in [UInt32(truncatingIfNeeded: value), UInt32(value >> 32)] where half != 0 && half != .max
                    {
                        throw AccessFailure("half of a value was torn: \(String(value, radix: 16))")
                    }
                }
            },
        ])
    }

    /// - Parameter isEnough: whether to end once `rounds` are over; at the latest after a thousand times as many.
    private func race<T: Value>(
        _ memory: GuestMemory, _ address: GuestAddress, _ type: T.Type, _ way: Way, rounds: Int,
        isEnough: @escaping @Sendable () -> Bool = { true }
    ) throws {
        let signal = AccessSignal()
        try store(0, memory, address, type, way)
        try onThreads([
            {
                defer { signal.end() }
                for round in 0..<(1000 * rounds) where round < rounds || !isEnough() {
                    try store(round % 2 == 0 ? .max : 0, memory, address, type, way)
                }
            },
            {
                while signal.isRunning {
                    let value = try load(memory, address, type, way)
                    guard value == 0 || value == .max else {
                        throw AccessFailure("\(type) at \(address) was torn: \(String(value, radix: 16))")
                    }
                }
            },
        ])
    }

    private func list<T: Value>(_ address: GuestAddress, _ type: T.Type) throws -> PagedRange {
        let offset = address.rawValue & 0xfff
        return try #require(PagedRange(frames: [address.frame], offset: offset, count: UInt64(T.bitWidth / 8)))
    }

    private func load<T: Value>(
        _ memory: GuestMemory, _ address: GuestAddress, _ type: T.Type, _ way: Way
    ) throws -> T {
        if way == .value { return try memory.load(address) }
        let list = try list(address, type)
        return try withUnsafeTemporaryAllocation(of: type, capacity: 1) { storage in
            storage.initialize(repeating: 0)
            let buffer = UnsafeMutableRawBufferPointer(storage)
            switch way {
            case .pages: try memory.read(list, into: buffer)
            case .available: _ = try memory.readAvailable(address, into: buffer)
            default: try memory.read(address, into: buffer)
            }
            return storage[0]
        }
    }

    private func store<T: Value>(
        _ value: T, _ memory: GuestMemory, _ address: GuestAddress, _ type: T.Type, _ way: Way
    ) throws {
        if way == .value { return try memory.store(value, at: address) }
        let list = try list(address, type)
        try withUnsafeTemporaryAllocation(of: type, capacity: 1) { storage in
            storage.initialize(repeating: value)
            let buffer = UnsafeRawBufferPointer(storage)
            switch way {
            case .pages: try memory.write(buffer, to: list)
            case .available: _ = try memory.writeAvailable(buffer, at: address)
            default: try memory.write(buffer, at: address)
            }
        }
    }
}
