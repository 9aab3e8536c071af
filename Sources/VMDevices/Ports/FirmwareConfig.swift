import Synchronization
import VMState

/// QEMU's firmware configuration device, through which a guest asks what machine it runs on: the traditional port
/// interface without DMA and without a file directory (QEMU, docs/specs/fw_cfg.rst).
///
/// A 16-bit write to port 0x510 selects an item; each byte read from port 0x511 is the item's next, and 0 after its end
/// and for items that do not exist. Other accesses have no effect: a read of port 0x510 returns 0, a byte write there
/// and any write to the data port are dropped.
///
/// Threads: any, several at once; all vCPUs share one selection, as on QEMU.
public final class FirmwareConfig: PortDevice {
    /// The key of an item: what the guest writes to the selector.
    public struct Item: RawRepresentable, Hashable, Sendable {
        /// The key's number.
        public var rawValue: UInt16

        /// Makes a key from its number.
        public init(rawValue: UInt16) {
            self.rawValue = rawValue
        }

        /// "QEMU", by which a guest knows the device is there.
        public static let signature = Item(rawValue: 0x00)
        /// What the device can do, 32 bits little-endian: bit 0 the traditional interface, bit 1 DMA.
        public static let features = Item(rawValue: 0x01)
        /// Guest memory in bytes, 64 bits little-endian.
        public static let memorySize = Item(rawValue: 0x03)
        /// Processors present at start, 16 bits little-endian.
        public static let processorCount = Item(rawValue: 0x05)
        /// Processors there can ever be, 16 bits little-endian.
        public static let maximumProcessorCount = Item(rawValue: 0x0f)
    }

    /// The selector's port; the data port follows it.
    public static let selectorPort: UInt16 = 0x510
    /// The data port.
    public static let dataPort: UInt16 = 0x511

    /// What an item is.
    private enum Content {
        /// Little-endian.
        case number(UInt64, byteCount: Int)
        case bytes([UInt8])

        var byteCount: Int {
            switch self {
            case .number(_, let byteCount): byteCount
            case .bytes(let bytes): bytes.count
            }
        }

        /// - Parameter offset: below `byteCount`.
        func byte(at offset: Int) -> UInt8 {
            switch self {
            case .number(let number, _): UInt8(truncatingIfNeeded: number >> UInt64(8 * offset))
            case .bytes(let bytes): bytes[offset]
            }
        }
    }

    private struct Contents {
        let memorySize: UInt64
        let processorCount: UInt16
        /// Those given, which come before the standard ones they replace.
        let items: [Item: [UInt8]]

        /// What an item is; nothing where it does not exist.
        subscript(item: Item) -> Content {
            if let bytes = items[item] { return .bytes(bytes) }
            return switch item {
            case .signature: .number(0x554d_4551, byteCount: 4)
            case .features: .number(1, byteCount: 4)
            case .memorySize: .number(memorySize, byteCount: 8)
            case .processorCount, .maximumProcessorCount: .number(UInt64(processorCount), byteCount: 2)
            default: .bytes([])
            }
        }
    }

    private struct Selection {
        let item: Item
        let content: Content
        var offset = 0

        init(_ item: Item, in contents: Contents) {
            self.item = item
            content = contents[item]
        }

        mutating func next() -> UInt8 {
            guard offset < content.byteCount else { return 0 }
            defer { offset += 1 }
            return content.byte(at: offset)
        }
    }

    private let contents: Contents
    private let selection: Mutex<Selection>

    /// Makes the device.
    ///
    /// - Parameters:
    ///   - memorySize: guest memory in bytes.
    ///   - processorCount: processors present at start, and the most there can ever be.
    ///   - items: further items, or others for the standard ones.
    public init(memorySize: UInt64, processorCount: UInt16, items: [Item: [UInt8]] = [:]) {
        let contents = Contents(memorySize: memorySize, processorCount: processorCount, items: items)
        self.selection = Mutex(Selection(.signature, in: contents))
        self.contents = contents
    }

    /// What to put on a `PortBus`.
    public var attachment: PortBus.Attachment {
        .init(name: "fw_cfg", ports: Self.selectorPort...Self.dataPort, device: self)
    }

    /// Reads the selected item's next byte from the data port; 0 from the selector.
    public func read(port: UInt16, size: Int) -> UInt32 {
        guard port == Self.dataPort else { return 0 }
        return UInt32(selection.withLock { $0.next() })
    }

    /// Selects an item, if the access is 16 bits wide and to the selector.
    public func write(_ value: UInt32, port: UInt16, size: Int) {
        guard port == Self.selectorPort, size == 2 else { return }
        let item = Item(rawValue: UInt16(truncatingIfNeeded: value))
        selection.withLock { $0 = Selection(item, in: contents) }
    }

    /// Reads a run of bytes of the selected item under one lock.
    public func readString(into buffer: UnsafeMutableRawBufferPointer, port: UInt16, size: Int) {
        guard port == Self.dataPort, size == 1 else {
            return forEachElement(of: buffer.count, size: size) { offset in
                storeElement(read(port: port, size: size), in: buffer, at: offset, size: size)
            }
        }
        selection.withLock { selection in
            for index in buffer.indices { buffer[index] = selection.next() }
        }
    }

    // MARK: Saving, while no vCPU runs

    /// Which item is selected, and how much of it was read.
    public var savedState: some SavedPart {
        selection.withLock { SavedSelection(item: $0.item.rawValue, offset: $0.offset) }
    }

    /// Checks its record.
    /// - Returns: what gives the device that state, and cannot fail.
    public func restoration(from records: MachineState) throws(StateError) -> () -> Void {
        let saved = try records.part(SavedSelection.self)
        return { [self] in
            selection.withLock { selection in
                selection = Selection(Item(rawValue: saved.item), in: contents)
                selection.offset = min(saved.offset, selection.content.byteCount)
            }
        }
    }

    private struct SavedSelection: SavedPart {
        static let kind = "fw_cfg"
        static let version: UInt32 = 1

        var item: UInt16 = 0
        var offset = 0

        mutating func exchange(with archive: inout StateArchive) throws(StateError) {
            try archive.number("item", &item)
            try archive.number("offset", &offset, in: 0...Int.max)
        }
    }
}
