import ArgumentParser
import Glibc
import KVM
import VMMachine
import VMMigration
import VMRegions
import VMState

struct ReceiveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive", abstract: "Receive a running guest, and run on with it.",
        discussion: """
            Waits for 'vmm run --migrate-to' at the same URI; then the guest goes on here as it was there, and its serial \
            output goes to standard output.

              vmm receive unix:/tmp/guest &
              vmm run dirty --migrate-to unix:/tmp/guest --migrate-after 2s -- --rate 100M

            With --postcopy there, the guest runs here before its memory has come. Where the link is lost meanwhile, it \
            goes on until it needs a page, and waits for the sending side to connect again.

            It waits until a guest is really on its way: a connection that does not begin as one, or says nothing for 5 s, is \
            turned away with a line on standard error. A migration that fails after that ends this command. Where the link \
            is lost at the very moment at which the guest changes hands, it goes on listening for up to 90 s, to tell the \
            sending side where the guest is.

            Exit status: as of 'vmm run'; 65 for a stream that is damaged; 71 where the guest did not arrive, or its \
            memory did not.
            """)

    @Argument(help: ArgumentHelp("Where to wait: unix:PATH, tcp:HOST:PORT, fd:N or file:PATH.", valueName: "uri"))
    var uri: String

    @OptionGroup var machine: RestoringOptions

    @Option(name: .long, help: "How bytes are moved: auto (the default), ring for io_uring, or plain system calls.")
    var io: IOBackend?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Where the link is lost in post-copy, how long a guest that waits for a page is kept (default 5m).",
            valueName: "time"), transform: { try $0.parsed("a time, such as 30s or 1h", TimeLimit.init) })
    var recoverTimeout: TimeLimit?

    @Flag(name: .customLong("no-postcopy"), help: "Take no guest before its memory.")
    var refusesPostCopy = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Have this much memory ready before a guest comes, as QEMU's -mem-prealloc does: 1G.",
            discussion: """
                The guest's memory is taken from it, so that the migration does not wait for the host to find and to zero \
                pages, and takes about a fifth less time. A guest with more memory gets the rest as ever; what it has no \
                use for goes back to the host when it arrives, and so does all of it where its memory is shared or asks for \
                huge pages. Pages that come after the guest (post-copy) gain nothing by it.
                """, valueName: "size"),
        transform: { try $0.parsed("a size, such as 512M or 1G", ByteSize.init) })
    var preallocate: ByteSize?

    func run() throws {
        let uri = try MigrationURI(uri, flag: "URI")
        try checkPreallocation()
        try checkKVM()
        let preallocated = try preallocatedMemory()
        let migration: IncomingMigration
        do throws(TransportError) {
            migration = try IncomingMigration(
                at: uri, backend: io ?? .auto, allowsPostCopy: !refusesPostCopy,
                recoverTimeout: recoverTimeout?.duration ?? .seconds(300),
                onNotice: { StandardError.write("vmm: \($0.escapingControlCharacters)") })
        } catch {
            throw Failure(ExitStatus(error), "\(error)")
        }
        let control = try ControlThread()
        let output = SerialOutput(STDOUT_FILENO) { control.requestEnd() }
        let onEnd: @Sendable () -> Void = { migration.cancel() }
        let (guest, result) = try control.run(onEnd: onEnd) { () throws(Failure) in
            let machine = try receive(migration, control, output, preallocated)
            control.attach(machine)
            let result = machine.wait()
            try waitForMemory(migration)
            return (GuestRun(machine, control), result)
        }
        throw ExitCode(RunCommand.status(guest, result.outcome, lost: output.failedWith).rawValue)
    }

    /// Refuses what cannot be on any host.
    private func checkPreallocation() throws(Failure) {
        guard let size = preallocate else { return }
        guard size.bytes > 0 else {
            throw Failure(.usage, "--preallocate: to have 0 bytes ready is of no use; leave it out")
        }
        guard size.bytes.isMultiple(of: 4096) else {
            throw Failure(.usage, "--preallocate: \(size) is not a multiple of 4096 bytes, a page")
        }
        guard size.bytes < 1 << 47 else {
            throw Failure(.usage, "--preallocate: \(size) is more than a process can have, 2^47 bytes")
        }
    }

    /// What the guest's memory is to be taken from.
    private func preallocatedMemory() throws(Failure) -> PreallocatedMemory? {
        guard let preallocate else { return nil }
        do throws(PreallocationError) {
            return try PreallocatedMemory(byteCount: preallocate.bytes)
        } catch .exceedsAvailable(_, let available) {
            let rest = ByteText.rounded(available)
            throw Failure(
                .hostFailure, "--preallocate \(preallocate): the host has \(rest) of memory available; ask for less")
        } catch {
            throw Failure(.hostFailure, "--preallocate \(preallocate): \(error)")
        }
    }

    /// Before anybody comes in vain.
    private func checkKVM() throws(Failure) {
        do throws(KVMError) {
            _ = try KVMSystem(path: machine.restoring.kvmDevice)
        } catch {
            throw Failure(ExitStatus(MachineError.kvm(error)), "\(error)")
        }
    }

    /// Tells the source that the guest needs no more, or why it has lost it.
    private func waitForMemory(_ migration: IncomingMigration) throws(Failure) {
        do throws(MigrationError) {
            try migration.waitForMemory()
        } catch {
            throw Failure(ExitStatus(error), "\(error)")
        }
    }

    private func receive(
        _ migration: IncomingMigration, _ control: ControlThread, _ output: SerialOutput,
        _ preallocated: PreallocatedMemory?
    ) throws(Failure) -> Machine {
        do throws(MigrationError) {
            return try migration.receive { (model) throws(MachineError) in
                let machine = try Machine(
                    restoring: model, machine.restoring, console: output,
                    onInputSpace: { control.inputSpace.signal() },
                    backing: { (saved) throws(RegionBackingError) in try RegionBacking(empty: saved, from: preallocated)
                    })
                // While the guest runs at the source: it takes a while.
                preallocated?.giveBack()
                return machine
            }
        } catch .cancelled {
            throw Failure(
                control.receivedSignal.map(ExitStatus.signal) ?? .interrupted, "no guest was received: cancelled")
        } catch {
            throw Failure(ExitStatus(error), "no guest was received: \(error)")
        }
    }
}
