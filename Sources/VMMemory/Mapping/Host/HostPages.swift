import Glibc
import SystemPackage
import VMAddressSpace
import VMHost

/// A run of mapped pages, for the calls that change or look at them. It owns nothing.
struct HostPages {
    let base: UnsafeMutableRawPointer
    let count: Int

    /// mprotect(2).
    func protect(_ protection: MemoryProtection) throws(Errno) {
        guard mprotect(base, count, protection.rawValue) == 0 else { throw .last }
    }

    /// Drops what private pages hold: anonymous ones read as zero, those of a file as the file.
    func discard() throws(Errno) {
        guard madvise(base, count, MADV_DONTNEED) == 0 else { throw .last }
    }

    /// Punches a hole into the file behind shared pages, which must be writable.
    func punchHole() throws(Errno) {
        try retryingOnInterrupt { madvise(base, count, MADV_REMOVE) }
    }

    /// Asks for transparent huge pages. A kernel built without them refuses; that is no failure of an advice.
    func adviseTransparentHugePages() {
        madvise(base, count, MADV_HUGEPAGE)
    }

    /// Provides all pages now, as writes to them would, or reads where they cannot be written. Pages that cannot be
    /// accessed are left alone.
    func populate(_ protection: MemoryProtection) throws(Errno) {
        guard !protection.isDisjoint(with: .readWrite) else { return }
        // Not MAP_POPULATE, which is silent about what it could not provide.
        let advice = protection.contains(.write) ? MADV_POPULATE_WRITE : MADV_POPULATE_READ
        try retryingOnInterrupt { madvise(base, count, advice) }
    }

    /// How many bytes of the range have a page in memory; for a file, whether or not this mapping has touched it.
    func residentByteCount() throws(Errno) -> Int {
        let pageSize = Int(PageSize.size4K.bytes)
        var resident = 0
        var errno = Errno(rawValue: 0)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { states in
            for start in stride(from: 0, to: count, by: states.count * pageSize) {
                let pages = min(states.count, (count - start) / pageSize)
                guard mincore(base + start, pages * pageSize, states.baseAddress) == 0 else {
                    errno = .last
                    return
                }
                for page in 0..<pages { resident += Int(states[page] & 1) * pageSize }
            }
        }
        guard errno.rawValue == 0 else { throw errno }
        return resident
    }

    private func retryingOnInterrupt(_ call: () -> CInt) throws(Errno) {
        while call() != 0 {
            let errno = Errno.last
            guard errno == .interrupted else { throw errno }
        }
    }
}
