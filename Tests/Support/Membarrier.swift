@preconcurrency import CThreads

/// Makes `ProcessBarrier` do without membarrier(2) from here on, as where the kernel has none. For exit tests, before any
/// other thread comes to a barrier: the two kinds do not go together.
public func forgoMembarrier() {
    // SAFETY: only ever written here, while the process has no other thread that reads it.
    cthreads_has_membarrier = 0
}
