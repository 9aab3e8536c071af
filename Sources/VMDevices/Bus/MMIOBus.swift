/// Carries a guest's memory-mapped accesses to devices.
///
/// The map is fixed at creation, so dispatch takes no lock: a binary search over the first addresses of runs that cover
/// the whole address space. Holes are runs as well, with a device behind them that counts.
///
/// An access that reaches past the end of a device's range (or of a hole) is split into bytes and each is dispatched on
/// its own; past the last address it wraps to address 0.
///
/// Threads: any, several at once.
public final class MMIOBus: Sendable {
    /// A device and the addresses it answers at.
    public struct Attachment: Sendable {
        /// What errors and reports call the device.
        public var name: String
        /// The guest-physical addresses, the upper bound excluded.
        public var addresses: Range<UInt64>
        /// The device; one device may be attached at several ranges.
        public var device: any MMIODevice

        /// Attaches a device at a half-open range of guest-physical addresses.
        public init(name: String, addresses: Range<UInt64>, device: any MMIODevice) {
            self.name = name
            self.addresses = addresses
            self.device = device
        }

        /// Attaches a device at `size` bytes from `address`.
        ///
        /// - Throws: `BusError.emptyRange` if `size` is 0, `BusError.rangeOverflow` if the end is no 64-bit address.
        public init(name: String, address: UInt64, size: UInt64, device: any MMIODevice) throws(BusError) {
            guard size > 0 else { throw .emptyRange(name: name, start: address) }
            let (end, overflow) = address.addingReportingOverflow(size)
            guard !overflow else { throw .rangeOverflow(name: name, start: address, size: size) }
            self.init(name: name, addresses: address..<end, device: device)
        }

        fileprivate var occupant: BusError.Occupant {
            .init(name: name, first: addresses.lowerBound, last: addresses.upperBound - 1)
        }
    }

    /// A run of addresses with one answer. A class, so that a call through it borrows the device instead of retaining
    /// it: the device is a constant of an object the bus keeps alive.
    @usableFromInline
    final class Slot: Sendable {
        @usableFromInline let device: any MMIODevice
        /// What to subtract from an address to get the offset the device wants.
        @usableFromInline let base: UInt64
        /// The last address of the run.
        @usableFromInline let last: UInt64

        init(device: any MMIODevice, base: UInt64, last: UInt64) {
            self.device = device
            self.base = base
            self.last = last
        }
    }

    /// What the bus was built from, lowest address first.
    public let attachments: [Attachment]

    /// The first address of each run, lowest first; the first is 0.
    @usableFromInline let firsts: [UInt64]
    /// The runs in the same order, which the bus owns. Unmanaged, because an array of references would be retained
    /// around each call.
    @usableFromInline let slots: [Unmanaged<Slot>]
    private let unclaimedAddresses: UnclaimedAddresses

    /// Builds a bus.
    ///
    /// - Parameter attachments: the devices, in any order.
    /// - Throws: `BusError.emptyRange` if a range is empty, `BusError.overlap` if two ranges share an address.
    public init(_ attachments: [Attachment]) throws(BusError) {
        let holes = UnclaimedAddresses()
        unclaimedAddresses = holes
        guard !attachments.isEmpty else {
            self.attachments = []
            firsts = [0]
            slots = [.passRetained(Slot(device: holes, base: 0, last: .max))]
            return
        }
        for attachment in attachments where attachment.addresses.isEmpty {
            throw .emptyRange(name: attachment.name, start: attachment.addresses.lowerBound)
        }
        var sorted = attachments
        sorted.sort { $0.addresses.lowerBound < $1.addresses.lowerBound }
        for index in sorted.indices.dropFirst() where sorted[index].addresses.overlaps(sorted[index - 1].addresses) {
            throw .overlap(sorted[index - 1].occupant, sorted[index].occupant)
        }

        var firsts: [UInt64] = []
        var slots: [Unmanaged<Slot>] = []
        firsts.reserveCapacity(2 * sorted.count + 1)
        slots.reserveCapacity(2 * sorted.count + 1)
        var next: UInt64 = 0
        for attachment in sorted {
            let (first, end) = (attachment.addresses.lowerBound, attachment.addresses.upperBound)
            if first > next {
                firsts.append(next)
                slots.append(.passRetained(Slot(device: holes, base: 0, last: first - 1)))
            }
            firsts.append(first)
            slots.append(.passRetained(Slot(device: attachment.device, base: first, last: end - 1)))
            next = end
        }
        // A half-open range never includes the very last address, so there is always a hole at the end.
        firsts.append(next)
        slots.append(.passRetained(Slot(device: holes, base: 0, last: .max)))

        self.attachments = sorted
        self.firsts = firsts
        self.slots = slots
    }

    deinit {
        for slot in slots { slot.release() }
    }

    @inlinable
    @inline(__always)
    func slot(at address: UInt64) -> Unmanaged<Slot> {
        var index = 0
        firsts.withUnsafeBufferPointer { firsts in
            // SAFETY: `index + count` never exceeds `firsts.count`: it starts there, and each step either keeps `index`
            // and lowers `count` or moves `half` from the one to the other; so `index + half` is in bounds.
            var count = firsts.count
            while count > 1 {
                let half = count &>> 1
                index = firsts[index &+ half] <= address ? index &+ half : index
                count &-= half
            }
        }
        return slots[index]
    }

    /// Whether `size` bytes from `address` lie in one slot. A size below 1 does not.
    @inlinable
    @inline(__always)
    static func isInside(_ slot: Slot, address: UInt64, size: Int) -> Bool {
        UInt64(bitPattern: Int64(size &- 1)) <= slot.last &- address
    }

    /// Reads from whatever answers at `address`: all ones where nothing does.
    ///
    /// - Parameters:
    ///   - address: the guest-physical address of the first byte.
    ///   - size: the width in bytes, 1 to 8.
    /// - Returns: the value in the low `size` bytes; the rest is unspecified.
    @inlinable
    public func read(address: UInt64, size: Int) -> UInt64 {
        slot(at: address)._withUnsafeGuaranteedRef { slot in
            guard Self.isInside(slot, address: address, size: size) else {
                return readBytes(address: address, size: size)
            }
            return slot.device.read(offset: address &- slot.base, size: size)
        }
    }

    /// Writes to whatever answers at `address`; dropped where nothing does.
    ///
    /// - Parameters:
    ///   - value: the value in the low `size` bytes.
    ///   - address: the guest-physical address of the first byte.
    ///   - size: the width in bytes, 1 to 8.
    @inlinable
    public func write(_ value: UInt64, address: UInt64, size: Int) {
        slot(at: address)._withUnsafeGuaranteedRef { slot in
            guard Self.isInside(slot, address: address, size: size) else {
                return writeBytes(value, address: address, size: size)
            }
            slot.device.write(value, offset: address &- slot.base, size: size)
        }
    }

    /// Reads byte by byte.
    @usableFromInline
    @inline(never)
    func readBytes(address: UInt64, size: Int) -> UInt64 {
        var value: UInt64 = 0
        var index: UInt64 = 0
        while index < UInt64(max(0, min(size, 8))) {
            value |= (read(address: address &+ index, size: 1) & 0xff) &<< (8 * index)
            index += 1
        }
        return value
    }

    /// Writes byte by byte.
    @usableFromInline
    @inline(never)
    func writeBytes(_ value: UInt64, address: UInt64, size: Int) {
        var index: UInt64 = 0
        while index < UInt64(max(0, min(size, 8))) {
            write((value &>> (8 * index)) & 0xff, address: address &+ index, size: 1)
            index += 1
        }
    }
}

// MARK: What nobody claimed

extension MMIOBus {
    /// The first 64 distinct 4 KiB pages that were accessed though no device claims the address, lowest first. An access
    /// counts for the page it starts in.
    public var unclaimed: [UnclaimedAccess] { unclaimedAddresses.log.accesses }

    /// All reads no device claimed. A read split into bytes counts once for each unclaimed byte.
    public var unclaimedReads: UInt64 { unclaimedAddresses.log.reads }

    /// All writes no device claimed. A write split into bytes counts once for each unclaimed byte.
    public var unclaimedWrites: UInt64 { unclaimedAddresses.log.writes }
}
