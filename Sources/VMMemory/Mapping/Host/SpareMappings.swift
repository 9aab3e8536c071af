import SystemPackage
import VMAddressSpace

/// A few mappings of nothing, to be given up where a change has to be undone: a process can be so close to the limit on
/// their number that what was done one way cannot be done the other way.
struct SpareMappings: ~Copyable {
    private let span: AddressSpan

    /// mremap(2) leaves the last three alone, and splits up to two mappings.
    private static let count = 8

    /// - Throws: `ENOMEM` where there are none left.
    init() throws(HostMemoryError) {
        let page = Int(PageSize.size4K.bytes)
        let span = try AddressSpan(reserving: Self.count * page, alignment: .size4K, margin: 0)
        // Neighbours that differ are not joined.
        for index in stride(from: 1, to: Self.count, by: 2) {
            do throws(Errno) {
                try HostPages(base: span.base + index * page, count: page).protect(.read)
            } catch {
                throw HostMemoryError(.reserve, nil, HostMemoryError.Reason(mapping: error))
            }
        }
        self.span = span
    }

    consuming func giveUp() {}
}
