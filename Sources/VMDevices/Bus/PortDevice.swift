// VMDevices: buses that carry a guest's port and memory-mapped accesses to devices, and the small devices of a PC.
//
// What holds everywhere in this module:
// - Devices are called on any vCPU thread, several at once, and guard their own state.
// - Nothing a guest does traps or allocates: odd sizes, odd ports and accesses across the end of a device all have a
//   defined answer, given at the place that handles them.
// - A device's answer to the outside (an interrupt level, a console byte, an exit request) goes through a protocol or
//   closure given at creation. The module knows neither KVM nor how the guest was loaded.
//
// What it does not do: guest memory access (so no DMA), saving and restoring device state, attaching devices while the
// guest runs.

/// A device behind x86 I/O ports.
///
/// Threads: called on any vCPU thread, several at once; a device guards its own state. A `PortBus` only hands a device
/// accesses that lie wholly inside the range it was attached at.
public protocol PortDevice: AnyObject, Sendable {
    /// Reads from a port.
    ///
    /// - Parameters:
    ///   - port: the absolute port number of the first byte.
    ///   - size: the width in bytes: 1, 2 or 4.
    /// - Returns: the value in the low `size` bytes, least significant byte first; the rest is ignored.
    func read(port: UInt16, size: Int) -> UInt32

    /// Writes to a port.
    ///
    /// - Parameters:
    ///   - value: the value in the low `size` bytes; a device ignores the rest.
    ///   - port: the absolute port number of the first byte.
    ///   - size: the width in bytes: 1, 2 or 4.
    func write(_ value: UInt32, port: UInt16, size: Int)

    /// Reads a run of elements from one port, as `rep ins` does.
    ///
    /// The default reads element by element.
    ///
    /// - Parameters:
    ///   - buffer: filled with elements of `size` bytes; bytes after the last whole element stay as they are.
    ///   - port: the absolute port number, the same for each element.
    ///   - size: the width of one element in bytes: 1, 2 or 4.
    func readString(into buffer: UnsafeMutableRawBufferPointer, port: UInt16, size: Int)

    /// Writes a run of elements to one port, as `rep outs` does.
    ///
    /// The default writes element by element. A device that can take the whole run at once implements it.
    ///
    /// - Parameters:
    ///   - bytes: elements of `size` bytes each; bytes after the last whole element are ignored.
    ///   - port: the absolute port number, the same for each element.
    ///   - size: the width of one element in bytes: 1, 2 or 4.
    func writeString(_ bytes: UnsafeRawBufferPointer, port: UInt16, size: Int)
}

extension PortDevice {
    /// Reads element by element: see the requirement.
    public func readString(into buffer: UnsafeMutableRawBufferPointer, port: UInt16, size: Int) {
        forEachElement(of: buffer.count, size: size) { offset in
            storeElement(read(port: port, size: size), in: buffer, at: offset, size: size)
        }
    }

    /// Writes element by element: see the requirement.
    public func writeString(_ bytes: UnsafeRawBufferPointer, port: UInt16, size: Int) {
        forEachElement(of: bytes.count, size: size) { offset in
            write(loadElement(from: bytes, at: offset, size: size), port: port, size: size)
        }
    }
}

/// A port device all of whose registers are one byte wide, as those of an ISA card are.
///
/// A wider access becomes byte accesses at successive ports, low byte first, as the ISA bus does it for an 8-bit card.
public protocol BytePortDevice: PortDevice {
    /// Reads the register at an absolute port number.
    func readByte(port: UInt16) -> UInt8

    /// Writes the register at an absolute port number.
    func writeByte(_ value: UInt8, port: UInt16)
}

extension BytePortDevice {
    /// Reads `size` successive registers, the first in the low byte.
    public func read(port: UInt16, size: Int) -> UInt32 {
        if size == 1 { return UInt32(readByte(port: port)) }
        var value: UInt32 = 0
        var index = 0
        while index < min(size, 4) {
            value |= UInt32(readByte(port: port &+ UInt16(index))) &<< UInt32(8 * index)
            index += 1
        }
        return value
    }

    /// Writes `size` successive registers, the low byte into the first.
    public func write(_ value: UInt32, port: UInt16, size: Int) {
        if size == 1 { return writeByte(UInt8(truncatingIfNeeded: value), port: port) }
        var index = 0
        while index < min(size, 4) {
            writeByte(UInt8(truncatingIfNeeded: value &>> UInt32(8 * index)), port: port &+ UInt16(index))
            index += 1
        }
    }
}

// MARK: Elements of a string transfer

/// Calls `body` with the byte offset of each whole element of `size` bytes in a buffer of `byteCount` bytes.
@inline(__always)
func forEachElement(of byteCount: Int, size: Int, _ body: (_ offset: Int) -> Void) {
    guard size == 1 || size == 2 || size == 4 else { return }
    var offset = 0
    while byteCount - offset >= size {
        body(offset)
        offset += size
    }
}

/// The little-endian element at `offset`; the caller has checked that it lies inside `bytes`.
@inline(__always)
func loadElement(from bytes: UnsafeRawBufferPointer, at offset: Int, size: Int) -> UInt32 {
    switch size {
    case 1: UInt32(bytes[offset])
    case 2: UInt32(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    default: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}

/// Stores the low `size` bytes of `value` at `offset`; the caller has checked that they lie inside `buffer`.
@inline(__always)
func storeElement(_ value: UInt32, in buffer: UnsafeMutableRawBufferPointer, at offset: Int, size: Int) {
    switch size {
    case 1: buffer[offset] = UInt8(truncatingIfNeeded: value)
    case 2: buffer.storeBytes(of: UInt16(truncatingIfNeeded: value).littleEndian, toByteOffset: offset, as: UInt16.self)
    default: buffer.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }
}
