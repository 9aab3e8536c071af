extension PortBus {
    /// Serves a port read of one or more elements, as `KVM_EXIT_IO` with direction "in" describes it: `count` elements
    /// of `size` bytes, one after the other, all from the same port (KVM API, section 5, `KVM_EXIT_IO`).
    ///
    /// - Parameters:
    ///   - buffer: where the elements go, `count * size` bytes. Bytes after the last whole element stay as they are.
    ///   - port: the port number of the first byte of each element.
    ///   - size: the width of an element in bytes: 1, 2 or 4. Nothing happens for any other.
    @inlinable
    public func read(string buffer: UnsafeMutableRawBufferPointer, port: UInt16, size: Int) {
        let run = run(at: port)
        guard Self.isInside(run, port: port, size: size) else {
            return readElementwise(into: buffer, port: port, size: size)
        }
        run.target._withUnsafeGuaranteedRef { $0.device.readString(into: buffer, port: port, size: size) }
    }

    /// Serves a port write of one or more elements, as `KVM_EXIT_IO` with direction "out" describes it: `count` elements
    /// of `size` bytes, one after the other, all to the same port (KVM API, section 5, `KVM_EXIT_IO`).
    ///
    /// - Parameters:
    ///   - bytes: the elements, `count * size` bytes. Bytes after the last whole element are ignored.
    ///   - port: the port number of the first byte of each element.
    ///   - size: the width of an element in bytes: 1, 2 or 4. Nothing happens for any other.
    @inlinable
    public func write(string bytes: UnsafeRawBufferPointer, port: UInt16, size: Int) {
        let run = run(at: port)
        guard Self.isInside(run, port: port, size: size) else {
            return writeElementwise(bytes, port: port, size: size)
        }
        run.target._withUnsafeGuaranteedRef { $0.device.writeString(bytes, port: port, size: size) }
    }

    /// Each element on its own, for elements that straddle the end of a device.
    @usableFromInline
    @inline(never)
    func readElementwise(into buffer: UnsafeMutableRawBufferPointer, port: UInt16, size: Int) {
        forEachElement(of: buffer.count, size: size) { offset in
            storeElement(readBytes(port: port, size: size), in: buffer, at: offset, size: size)
        }
    }

    /// Each element on its own, for elements that straddle the end of a device.
    @usableFromInline
    @inline(never)
    func writeElementwise(_ bytes: UnsafeRawBufferPointer, port: UInt16, size: Int) {
        forEachElement(of: bytes.count, size: size) { offset in
            writeBytes(loadElement(from: bytes, at: offset, size: size), port: port, size: size)
        }
    }
}
