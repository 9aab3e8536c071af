import CThreads
import Synchronization

/// The two halves of an asymmetric memory barrier (`membarrier(2)`): next to nothing on the side that runs often, a
/// system call on the side that runs seldom.
///
/// Let one thread do `A; light(); B` and another `C; heavy(); D`. Then either `B` sees what `C` did, or `D` sees what
/// `A` did, as if a full barrier stood in both places: the kernel makes every running thread go through a barrier
/// between `C` and `D`, so a thread whose `B` came before `C` has its `A` visible by `D`. (A thread that does not run
/// has gone through one when it was switched out.) Where the kernel has no membarrier, both halves are full barriers.
public enum ProcessBarrier {
    /// Whether the light half costs nothing.
    @inlinable public static var isAsymmetric: Bool { cthreads_can_membarrier() != 0 }

    /// The half of the side that runs often.
    @inlinable @inline(__always)
    public static func light() {
        if isAsymmetric {
            cthreads_compiler_barrier()
        } else {
            atomicMemoryFence(ordering: .sequentiallyConsistent)
        }
    }

    /// The half of the side that runs seldom. Where the kernel begins to refuse it, as by a seccomp filter that was
    /// installed after `main` began and lacks membarrier(2), the process is aborted: the other halves count on it.
    public static func heavy() {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        if isAsymmetric { cthreads_membarrier() }
    }
}
