import SystemPackage
import VMBoot
import VMMachine
import VMMigration

/// The exit statuses of the program: those of `sysexits.h` and of the shell where they have one.
struct ExitStatus: RawRepresentable, Hashable, Sendable {
    let rawValue: Int32

    static let success = ExitStatus(rawValue: 0)
    /// `vmm plan`: a change could not be made. `vmm demo`: something was not proved.
    static let refused = ExitStatus(rawValue: 1)
    static let usage = ExitStatus(rawValue: 64)
    static let badData = ExitStatus(rawValue: 65)
    static let noInput = ExitStatus(rawValue: 66)
    static let noKVM = ExitStatus(rawValue: 69)
    static let crashed = ExitStatus(rawValue: 70)
    static let hostFailure = ExitStatus(rawValue: 71)
    static let cannotCreate = ExitStatus(rawValue: 73)
    static let ioError = ExitStatus(rawValue: 74)
    static let notPermitted = ExitStatus(rawValue: 77)
    static let timedOut = ExitStatus(rawValue: 124)
    static let interrupted = ExitStatus(rawValue: 130)

    /// The shell's status for a program ended by a signal.
    static func signal(_ number: Int32) -> ExitStatus {
        ExitStatus(rawValue: 128 + number)
    }

    /// QEMU's `isa-debug-exit`: odd, so that no value a guest writes is taken for success.
    static func debugExit(_ value: UInt32) -> ExitStatus {
        ExitStatus(rawValue: Int32((value << 1 | 1) & 0xff))
    }
}

extension ExitStatus {
    init(_ outcome: Outcome) {
        self =
            switch outcome {
            case .halted, .poweredOff, .reset: .success
            case .debugExit(let value): .debugExit(value)
            case .crashed: .crashed
            case .timedOut: .timedOut
            case .stopped: .interrupted
            case .handedOver: .success
            case .failed(let error): ExitStatus(error)
            }
    }

    init(_ error: MachineError) {
        self =
            switch error {
            case .configuration: .usage
            case .kvm(.cannotOpen(_, .permissionDenied)), .kvm(.cannotOpen(_, .notPermitted)): .notPermitted
            case .kvm(.cannotOpen), .kvm(.wrongVersion), .kvm(.missingCapability): .noKVM
            case .kvm(.call(_, .permissionDenied, _)), .kvm(.call(_, .notPermitted, _)): .notPermitted
            case .kvm(.call(.createVM, _, _)): .noKVM
            case .state: .badData
            case .kvm, .memory, .backing, .device, .thread, .alreadyStarted, .hostLacks, .unsavable, .notPaused:
                .hostFailure
            case .boot(let error): ExitStatus(error)
            }
    }

    init(_ error: MigrationError) {
        self =
            switch error {
            case .stream: .badData
            case .machine(let error): ExitStatus(error)
            case .transport(let error): ExitStatus(error)
            case .snapshot(let error): ExitStatus(error)
            case .cancelled: .interrupted
            default: .hostFailure
            }
    }

    init(_ error: SnapshotError) {
        self =
            switch (error.operation, error.reason) {
            case (_, .system(.permissionDenied)), (_, .system(.notPermitted)): .notPermitted
            case (.open, .system), (.open, .notAFile): .noInput
            case (.create, _), (.write, _), (.publish, _), (.synchronizeFolder, _): .cannotCreate
            case (.open, _), (.read, _), (.verify, _): .badData
            }
    }

    init(_ error: TransportError) {
        self =
            switch error {
            case .noSuchAddress, .notASocket, .inUse, .unsuitableDescriptor: .usage
            case .file(_, _, .noSuchFileOrDirectory), .notARegularFile: .noInput
            case .file(_, _, .permissionDenied), .cannotListen(_, .permissionDenied): .notPermitted
            default: .hostFailure
            }
    }

    init(_ error: BootError) {
        self =
            switch error.kind {
            case .noSuchInput: .noInput
            case .notPermitted: .notPermitted
            case .badImage, .doesNotFit: .badData
            case .memoryFailure: .hostFailure
            case .badOption: .usage
            }
    }
}
