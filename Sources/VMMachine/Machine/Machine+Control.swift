import Glibc

/// Run control: any thread may call any of it, at any time.
extension Machine {
    /// Runs the guest until it ends, the configured timeout has passed, or `stop()` is called.
    /// - Throws: `MachineError.thread` where the host has no room for the vCPUs' threads.
    public func run() throws(MachineError) -> RunResult {
        try start()
        return wait()
    }

    /// Starts the vCPUs. Once only.
    public func start() throws(MachineError) {
        let loop = RunLoop(
            control: control, ports: devices.ports, mmio: devices.mmio, ioapic: devices.ioapic,
            hasLocalAPIC: configuration.irqchip != .none, kickAll: { [processors] in Self.kick(processors) })
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

    /// Waits for the run to end and for every thread of it to be gone. One thread at a time may wait.
    public func wait() -> RunResult {
        let started = MonotonicTime.now
        let deadline = configuration.timeout.map { started.advanced(by: $0.duration) }
        let ending = watch(until: deadline)
        endThreads()
        return RunResult(self, outcome: outcome(of: ending), started: started)
    }

    /// Makes every vCPU stand still, and returns when all do. Each call needs one `resume()`.
    public func pause() {
        control.requestPause()
        // A kick can come just before a vCPU thread blocks in a write to the console, so it is repeated.
        repeat {
            Self.kick(processors)
        } while control.waitUntilParked(until: .now.advanced(by: .milliseconds(20))) == nil
    }

    /// Lets the vCPUs go on once nobody else has paused them.
    /// - Returns: false where they were not paused.
    @discardableResult
    public func resume() -> Bool {
        control.resume()
    }

    /// Ends the run with `Outcome.stopped`, unless it has ended already. Does not wait.
    public func stop() {
        control.end(.outcome(.stopped))
        Self.kick(processors)
    }

    static func kick(_ processors: [Processor]) {
        for processor in processors { processor.kick() }
    }

    private func endThreads() {
        console.cancel()
        repeat { Self.kick(processors) } while !control.waitUntilAllEnded(until: .now.advanced(by: .milliseconds(20)))
        for processor in processors { processor.join() }
    }
}
