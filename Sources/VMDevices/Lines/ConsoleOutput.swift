/// Where a console device sends what the guest prints.
///
/// Threads: called on any vCPU thread, several at once; the bytes of one call stay together and in order. No device lock
/// is held, and the guest's store completes only when the call returns, so a slow console slows the vCPU that prints.
public protocol ConsoleOutput: AnyObject, Sendable {
    /// Takes bytes the guest transmitted. The buffer is valid only during the call.
    func write(_ bytes: UnsafeRawBufferPointer)

    /// The machine is ending: a `write(_:)` that blocks now should drop the rest and return. The thread it blocks on is
    /// sent a signal after this call, so that a system call of its returns with `EINTR`.
    func cancel()
}

extension ConsoleOutput {
    /// Does nothing, for an output that never blocks.
    public func cancel() {}
}
