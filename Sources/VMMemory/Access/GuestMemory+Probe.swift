import VMAddressSpace

extension GuestMemory {
    /// What memory is wanted for.
    public enum Purpose: Hashable, Sendable {
        case reading
        /// For writing, and reading.
        case writing
    }

    /// Finds out whether a range can be accessed, by accessing one byte of each page without changing it. Pages that come
    /// into being on their first access do so by it; those probed for writing are marked as written.
    ///
    /// For writing, a byte is compared and exchanged with itself: a backing reached by calls has to offer that.
    public func probe(
        _ address: GuestAddress, count: UInt64, for purpose: Purpose
    ) throws(GuestMemoryError) {
        guard count > 0 else { return }
        let first = try requireMemory(.probe, address, count)
        let last = first + (count - 1)
        var byte = first
        while true {
            do throws(GuestMemoryError) {
                try touch(GuestAddress(byte - base), for: purpose)
            } catch let failure {
                throw error(
                    .probe, first, count, failure.kind, at: failure.failing.rawValue, completed: byte - first)
            }
            let lastOfPage = byte | PageSize.size4K.mask
            guard lastOfPage < last else { return }
            byte = lastOfPage + 1
        }
    }

    private func touch(_ address: GuestAddress, for purpose: Purpose) throws(GuestMemoryError) {
        let value = try load(address, as: UInt8.self)
        guard purpose == .writing else { return }
        // Written back as it is, if nobody changes it meanwhile: then it was written, which is all that matters.
        _ = try compareExchange(address, expected: value, desired: value)
    }
}
