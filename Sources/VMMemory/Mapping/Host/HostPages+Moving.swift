import CHostMemory
import Glibc
import SystemPackage

/// Moving pages to other addresses. The kernel does it mapping by mapping, and its mappings are smaller than runs of the
/// same pages at times: it does not join all neighbours that are alike.
extension HostPages {
    /// Moves the pages, which lie in one mapping of the kernel's, to `base`, in place of what is there, in one step.
    /// - Parameter keepingAddresses: whether a mapping without pages stays where they were (`MREMAP_DONTUNMAP`): without it,
    ///   the addresses are free for other threads' mappings.
    /// - Throws: mremap(2)'s error. What was at `base` may be gone then, and nothing be mapped there.
    func move(to base: UnsafeMutableRawPointer, keepingAddresses: Bool) throws(Errno) {
        let flags =
            CHOSTMEMORY_MREMAP_MAYMOVE | CHOSTMEMORY_MREMAP_FIXED
            | (keepingAddresses ? CHOSTMEMORY_MREMAP_DONTUNMAP : 0)
        let result = chostmemory_mremap(self.base, count, count, flags, base)
        guard result == 0 else { throw Errno(rawValue: -result) }
    }

    /// As much of it, from its start, as lies in one mapping of the kernel's. Something must be mapped right above it.
    /// - Parameter pageSize: what mappings begin and end at multiples of.
    func prefixInOneMapping(pageSize: Int) -> HostPages {
        guard !isInOneMapping else { return self }
        var (shorter, longer) = (pageSize, count)
        while longer - shorter > pageSize {
            let middle = shorter + (longer - shorter) / 2 / pageSize * pageSize
            if prefix(middle).isInOneMapping { shorter = middle } else { longer = middle }
        }
        return prefix(shorter)
    }

    /// Asks for one page more right above, which can only be refused, as that is taken. Before the kernel looks at that, it
    /// says `EFAULT` for a range that does not lie in one mapping (mremap(2); or for any in huge pages, which must not grow).
    private var isInOneMapping: Bool {
        chostmemory_mremap(base, count, count + 4096, 0, nil) != -EFAULT
    }

    func prefix(_ count: Int) -> HostPages {
        HostPages(base: base, count: count)
    }
}
