import KVM
import VMDevices

/// What every vCPU thread does: run the guest, take its exits to the buses, look up when asked to.
struct RunLoop: Sendable {
    /// The guest's memory has to stay mapped for as long as a vCPU can run.
    let memory: MachineMemory
    let control: RunControl
    let ports: PortBus
    let mmio: MMIOBus
    /// The I/O APIC, where the monitor has it.
    let ioapic: IOAPIC?
    /// Whether a halted CPU sleeps in the kernel; otherwise it can never wake.
    let hasLocalAPIC: Bool
    /// Makes the other vCPUs look up after this one ended the run.
    let kickAll: @Sendable () -> Void

    /// Runs until the machine's run ends.
    func run(_ processor: Processor) {
        // Nothing was begun before the first entry.
        var isSettled = true
        while step(processor, &isSettled) {}
        control.threadEnded()
    }

    /// One entry into the guest.
    /// - Parameter isSettled: whether the last exit left nothing half done. The kernel takes the answer to an access of the
    ///   guest's at the next entry, and its state can be told only after that (KVM API document, section 5, `exit_reason`).
    /// - Returns: whether there is to be another.
    @inline(__always)
    private func step(_ processor: Processor, _ isSettled: inout Bool) -> Bool {
        if control.needsAttention {
            if isSettled {
                processor.vcpu.clearExitRequest()
                guard control.checkpoint({ sleep(of: processor) }) else { return false }
            } else {
                // The next entry only takes the answer, or goes on to the next access of the same instruction.
                guard !control.hasEnded else { return false }
                processor.vcpu.requestExit()
            }
        }
        let exit: VMExit
        do throws(KVMError) {
            exit = try processor.vcpu.run()
        } catch {
            end(.outcome(.failed(.kvm(error))))
            return false
        }
        isSettled = exit.isInterrupted
        switch exit {
        case .portIO(let io):
            if io.isWrite {
                record(processor, .portWrite, io)
                if io.count == 1 {
                    ports.write(io.value, port: io.port, size: Int(io.size))
                } else {
                    ports.write(string: UnsafeRawBufferPointer(io.data), port: io.port, size: Int(io.size))
                }
            } else {
                if io.count == 1 {
                    io.value = ports.read(port: io.port, size: Int(io.size))
                } else {
                    ports.read(string: io.data, port: io.port, size: Int(io.size))
                }
                record(processor, .portRead, io)
            }
        case .mmio(let access):
            if access.isWrite {
                record(processor, .mmioWrite, access)
                mmio.write(access.value, address: access.address, size: Int(access.size))
            } else {
                access.value = mmio.read(address: access.address, size: Int(access.size))
                record(processor, .mmioRead, access)
            }
        default:
            handleUncommon(exit, processor)
        }
        return true
    }

    @inline(never)
    private func handleUncommon(_ exit: VMExit, _ processor: Processor) {
        let trace = processor.trace
        switch exit {
        case .interrupted:
            trace.count(.interrupted)
            // Cleared before the next look at `needsAttention`: whatever is asked from now on sets it again.
            processor.vcpu.clearExitRequest()
        case .halt:
            trace.record(ExitRecord(kind: .halt, instructionPointer: processor.vcpu.syncedInstructionPointer))
            // Without a local APIC nothing can interrupt the one CPU there is.
            if !hasLocalAPIC { end(.outcome(.halted)) }
        case .taskPriorityChanged:
            // Without a local APIC the task priority has nothing to hold back.
            trace.count(.other)
        case .ioapicEndOfInterrupt(let vector):
            trace.count(.endOfInterrupt)
            ioapic?.endOfInterrupt(vector: vector)
        case .dirtyRingFull:
            trace.count(.dirtyRingFull)
            do throws(KVMError) {
                try memory.partition.drainDirtyRing(of: processor.index)
            } catch {
                end(.outcome(.failed(.kvm(error))))
            }
        case .systemEvent(let type):
            trace.record(ExitRecord(kind: .systemEvent, address: UInt64(type)))
            switch type {
            case 1: end(.outcome(.poweredOff))
            case 2: end(.outcome(.reset))
            default: crash(processor, .systemEvent(type: type), .systemEvent)
            }
        case .shutdown:
            crash(processor, .tripleFault, .shutdown)
        case .internalError(let error):
            crash(processor, .internalError(suberror: error.suberror, data: Array(error.data)), .internalError)
        case .failedEntry(let reason, _):
            crash(processor, .failedEntry(reason: reason), .failedEntry)
        case .memoryFault(_, let address, let count):
            crash(processor, .memoryFault(address: address, count: count), .memoryFault)
        case .unknownHardwareReason(let reason):
            crash(processor, .unknownHardwareReason(reason), .other)
        default:
            crash(processor, .unexpectedExit(reason: processor.vcpu.exitReason), .other)
        }
    }

    private func crash(_ processor: Processor, _ cause: CrashReport.Cause, _ kind: ExitRecord.Kind) {
        processor.trace.record(
            ExitRecord(kind: kind, instructionPointer: processor.vcpu.syncedInstructionPointer))
        end(.crash(vcpu: processor.index, cause))
    }

    private func end(_ ending: RunControl.Ending) {
        control.end(ending)
        kickAll()
    }

    /// What it takes to wake the vCPU. One halted with interrupts off, or waiting to be started, only another vCPU can
    /// wake, or a non-maskable interrupt. Of those a pending one counts; that a guest has told an interrupt controller to
    /// send one later does not.
    private func sleep(of processor: Processor) -> RunControl.Sleep {
        guard hasLocalAPIC, let state = try? processor.vcpu.mpState() else { return .awake }
        switch state {
        case .uninitialized, .initReceived:
            return .forGood
        case .halted:
            guard let registers = try? processor.vcpu.generalRegisters(), let events = try? processor.vcpu.events()
            else { return .awake }
            if events.nmi.pending != 0 { return .awake }
            return registers.rflags & 1 << 9 == 0 ? .forGood : .light
        case .runnable, .startupReceived:
            return .awake
        }
    }

    @inline(__always)
    private func record(_ processor: Processor, _ kind: ExitRecord.Kind, _ io: VMExit.PortIO) {
        processor.trace.record(
            ExitRecord(
                kind: kind, size: io.size, count: io.count, address: UInt64(io.port), value: UInt64(io.value),
                instructionPointer: processor.vcpu.syncedInstructionPointer))
    }

    @inline(__always)
    private func record(_ processor: Processor, _ kind: ExitRecord.Kind, _ access: VMExit.MMIO) {
        processor.trace.record(
            ExitRecord(
                kind: kind, size: access.size, count: 1, address: access.address, value: access.value,
                instructionPointer: processor.vcpu.syncedInstructionPointer))
    }
}
