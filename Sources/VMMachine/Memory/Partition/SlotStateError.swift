import KVM
import VMAddressSpace
import VMRegions

/// Why a partition of memory slots cannot do what it was asked.
enum SlotStateError: Error {
    case layout(SlotLayoutError)
    case slot(SlotFailure)
    /// The host has no read-only slots.
    case noReadOnlyMemory(MemoryRange)
    /// No memory can be there: the address is not one of a page's start, or the memory would pass the last address.
    case hostAddress(MemoryRange, UInt)

    /// Runs `body`, turning its error into this kind.
    static func wrap<Result>(_ body: () throws(SlotLayoutError) -> Result) throws(SlotStateError) -> Result {
        do throws(SlotLayoutError) {
            return try body()
        } catch {
            throw .layout(error)
        }
    }
}

extension PartitionError {
    /// - Parameter partition: its name.
    init(_ error: SlotStateError, in partition: String) {
        switch error {
        case .layout(let error):
            self.init("\(partition): \(error)", underlying: error)
        case .slot(let failure):
            self.init("\(partition): \(failure)", underlying: failure.cause)
        case .noReadOnlyMemory(let range):
            let cause = KVMError.missingCapability(.readOnlyMemory)
            self.init(
                "\(partition): cannot show the guest the memory at \(range) read-only: \(cause)", underlying: cause)
        case .hostAddress(let range, let address):
            self.init(
                "\(partition): cannot show the guest the memory at \(range): the host address "
                    + "0x\(String(address, radix: 16)) is not the start of so many pages")
        }
    }
}

extension MemorySlot {
    /// The slot for memory that a partition is to map.
    init(_ mapping: PartitionMapping) throws(SlotStateError) {
        let distance = UInt(mapping.range.last.rawValue - mapping.range.start.rawValue)
        guard mapping.hostAddress.isMultiple(of: UInt(PageSize.size4K.bytes)),
            !mapping.hostAddress.addingReportingOverflow(distance).overflow
        else { throw .hostAddress(mapping.range, mapping.hostAddress) }
        self.init(
            range: mapping.range, hostAddress: mapping.hostAddress, flags: mapping.isWritable ? [] : .readOnly)
    }
}
