import Glibc
import VMHost

/// Run control: any thread may call any of it, at any time. `run()`, `wait()` and `pause()` block the calling thread, so
/// they are not for Swift's cooperative pool, nor for a callback of the machine, which would wait for itself.
extension Machine {
    /// Runs the guest until it ends, the configured timeout has passed, or `stop()` is called.
    /// - Throws: what `start()` throws.
    public func run() throws(MachineError) -> RunResult {
        try start()
        return wait()
    }

    /// Starts the vCPUs, each on a thread with a stack of 256 KiB and most signals blocked, where the console is called
    /// as well. The process's first real-time signal becomes theirs.
    /// - Throws: `MachineError.alreadyStarted`, as a machine runs once; `MachineError.thread` where the host has no room
    ///   for the threads.
    public func start() throws(MachineError) {
        guard control.begin(threads: processors.count) else { throw .alreadyStarted }
        let loop = RunLoop(
            memory: guest, control: control, ports: devices.ports, mmio: devices.mmio, ioapic: devices.ioapic,
            hasLocalAPIC: configuration.irqchip != .none, kickAll: { [gate] in gate.kick() })
        // None enters the guest before all are there: a machine that cannot start has not run.
        let isHeld = processors.count > 1
        if isHeld { control.requestPause(.memory) }
        defer { if isHeld { control.resume(.memory) } }
        for (index, processor) in processors.enumerated() {
            do throws(MachineError) {
                try processor.start { loop.run(processor) }
            } catch {
                for _ in index..<processors.count { control.threadEnded() }
                control.end(.outcome(.failed(error)))
                endThreads()
                throw error
            }
        }
    }

    /// Starts the vCPUs' threads, as `start()` does, but none enters the guest before `release()`, which cannot fail. Whoever
    /// does not come to that has to stop the machine.
    package func startHeld() throws(MachineError) {
        pauseForCopy()
        try start()
    }

    /// Lets the vCPUs go that were started held: the run begins.
    package func release() {
        control.beginAgain()
        resumeAfterCopy()
    }

    /// Waits for the run to end and for every thread of it to be gone. One thread at a time may wait. A machine that has
    /// not been started has to be stopped for this to return, or to have a timeout.
    public func wait() -> RunResult {
        let deadline = configuration.timeout.map { (control.started ?? .now).advanced(by: $0.duration) }
        let ending = watch(until: deadline)
        let ended = MonotonicTime.now
        endThreads()
        return RunResult(self, outcome: outcome(of: ending), ended: ended)
    }

    /// Makes every vCPU stand still, and returns when all do, or have left the guest for good because the run has ended.
    /// Each call needs one `resume()`. A vCPU that is in a write to the console runs until that write is done.
    public func pause() {
        gate.pause(.user)
    }

    /// Lets the vCPUs go on once nobody else has paused them.
    /// - Returns: false where they were not paused.
    @discardableResult
    public func resume() -> Bool {
        gate.resume(.user)
    }

    /// The same as `pause()` and `resume()`, for whoever copies the machine: nobody else's `resume()` ends it.
    package func pauseForCopy() {
        gate.pause(.migration)
    }

    package func resumeAfterCopy() {
        gate.resume(.migration)
    }

    /// Leaves it paused, for whoever has the machine to decide: one `resume()` lets it go on.
    package func leavePaused() {
        gate.pause(.user)
        gate.resume(.migration)
    }

    /// Whether `start()` was called.
    public var hasStarted: Bool { control.started != nil }

    /// Ends the run with `Outcome.stopped`, unless it has ended already. Does not wait.
    public func stop() {
        control.end(.outcome(.stopped))
        gate.kick()
    }

    /// Ends the run with `Outcome.handedOver`, unless it has ended already: the guest goes on elsewhere. Does not wait.
    public func handOver() {
        control.end(.outcome(.handedOver))
        gate.kick()
    }

    /// Whether the run has ended, or is about to.
    public var hasEnded: Bool { control.hasEnded }

    private func endThreads() {
        console.cancel()
        repeat { gate.kick() } while !control.waitUntilAllEnded(until: .now.advanced(by: .milliseconds(20)))
        for processor in processors { processor.join() }
    }
}
