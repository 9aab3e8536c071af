import SystemPackage
import VMAddressSpace

/// One range of guest RAM and the host memory behind it.
final class MemoryRegion: Sendable {
    let range: MemoryRange
    let mapping: HostMapping

    /// RAM of `range.count` bytes, all zero.
    init(anonymous range: MemoryRange) throws(GuestMemoryError) {
        self.range = range
        do throws(Errno) {
            self.mapping = try HostMapping(anonymous: range.count)
        } catch {
            throw GuestMemoryError(
                operation: .map, address: range.start, count: range.count, kind: .noHostMemory(error))
        }
    }
}
