import Glibc
import SystemPackage
import VMAddressSpace

/// The owner of one private, anonymous, zeroed mapping in the monitor's own address space. The kernel
/// provides its pages as they are first touched; the mapping is unmapped when its owner goes away.
public struct HostMapping: ~Copyable, @unchecked Sendable {
    // SAFETY: the pointer is to a mapping that only `deinit` removes, and a noncopyable value can only be
    // destroyed once nobody borrows it. What two threads store through it races just as two guest CPUs
    // race on RAM; nothing in the monitor bases its own safety on the contents.
    /// The address of its first byte, page-aligned.
    public let baseAddress: UnsafeMutableRawPointer
    /// In bytes.
    public let count: Int

    /// Maps `count` bytes, a multiple of the page size.
    /// - Throws: `EINVAL` for a length of zero or not a multiple of 4096, or what `mmap(2)` says, `ENOMEM` above
    ///   all.
    public init(anonymous count: UInt64) throws(Errno) {
        guard count > 0, count.isMultiple(of: PageSize.size4K.bytes), let length = Int(exactly: count) else {
            throw .invalidArgument
        }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard let base = mmap(nil, length, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else {
            throw Errno(rawValue: Glibc.errno)
        }
        self.baseAddress = base
        self.count = length
    }

    deinit {
        munmap(baseAddress, count)
    }
}
