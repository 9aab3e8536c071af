import SystemPackage
import VMDirtyBitmap
import VMDirtyTracking
import VMHost
import VMMachine
import VMMemory
import VMRegions

/// Why a machine did not migrate. Unless it says otherwise, the source has it and runs it as before.
public enum MigrationError: Error, Sendable {
    /// `cancel()` was called.
    case cancelled
    case transport(TransportError)
    /// What came is no stream of a migration.
    case stream(StreamError)
    /// The other side has ended it, and says why.
    case refused(by: MigrationID.Side, String)
    /// The other side has said for so long that it is there, and nothing else.
    case noProgress(by: MigrationID.Side, after: Duration)
    /// The guest ended before it was handed over.
    case guestEnded
    case machine(MachineError)
    case tracking(DirtyTrackingError)
    case regions(RegionManagerError)
    case snapshot(SnapshotError)
    /// Memory that comes from a snapshot's file cannot be had.
    case host(HostMemoryError)
    /// There is no room for the bits of received pages.
    case bitmap(BitmapError)
    /// The destination's host has no memory for pages of a block.
    case unwritable(block: String, signal: Int32)
    /// Pages of a block cannot be read to compare them: what lies behind them is gone.
    case unreadable(block: String, signal: Int32)
    /// A block's contents are not those that the source has: `MigrationParameters.verifiesMemory` found out.
    case memoryDiffers(block: String)
    /// A thread for a channel could not be started.
    case thread(Errno)
    /// Extra channels, post-copy or answers cannot go over a file or a pipe.
    case oneWay(MigrationURI)
    /// The source has given the guest away, and does not know whether the destination runs it: why it has not heard so. The
    /// source's machine stands still; it must not go on unless the destination's is known not to: `Machine.resume()` lets it.
    indirect case inDoubt(MigrationError)
    /// Memory cannot come by post-copy.
    case userFault(UserFaultError)
    /// The guest was switched over by post-copy, and cannot get so many pages any more: it can go on nowhere.
    case guestLost(missingPages: UInt64, reason: String)

    /// Runs `body`, turning its kind of error into this one.
    static func wrap<Failure: Error, Result: ~Copyable>(
        _ convert: (Failure) -> MigrationError, _ body: () throws(Failure) -> Result
    ) throws(MigrationError) -> Result {
        do throws(Failure) {
            return try body()
        } catch {
            throw convert(error)
        }
    }

    init(_ failure: StreamFailure<TransportError>) {
        switch failure {
        case .link(.cancelled): self = .cancelled
        case .link(let error): self = .transport(error)
        case .stream(let error): self = .stream(error)
        }
    }
}

extension MigrationError: CustomStringConvertible {
    /// In a line. What the peer has put into names cannot drive a terminal.
    public var description: String { String(printable: text, limit: Abort.reasonLimit) }

    private var text: String {
        switch self {
        case .cancelled: "cancelled"
        case .transport(let error): "\(error)"
        case .stream(let error): "\(error)"
        case .refused(let side, let reason): "the \(side) ended it: \(reason)"
        case .noProgress(let side, let time):
            "the \(side) has said that it is there, and nothing else, for \(time); it hangs, or means no good"
        case .guestEnded: "the guest ended before it was handed over"
        case .machine(let error): "\(error)"
        case .tracking(let error): "\(error)"
        case .regions(let error): "\(error)"
        case .snapshot(let error): "\(error)"
        case .host(let error): "\(error)"
        case .bitmap(let error): "no room to note which pages have come: \(error)"
        case .unwritable(let block, let signal):
            "pages of the block \"\(block)\" cannot be written (signal \(signal)); the host is out of memory"
        case .unreadable(let block, let signal):
            "pages of the block \"\(block)\" cannot be read to compare them (signal \(signal)); the file behind them is gone"
        case .memoryDiffers(let block):
            "the memory of the block \"\(block)\" is not what it is at the source: pages were lost, or are stale"
        case .thread(let errno): "a thread for a channel cannot be started: \(errno) (\(errno.symbol))"
        case .oneWay(let uri): "\(uri) goes one way only: it can have neither several channels nor post-copy"
        case .userFault(let error): "\(error)"
        case .guestLost(0, let reason):
            "all pages of the guest's memory were sent, and the destination has not said that it has them: \(reason); "
                + "where it has, the guest goes on there"
        case .guestLost(let count, let reason):
            "the guest is lost: \(count) pages of its memory were still to come from the source to the destination, and "
                + "cannot any more: \(reason)"
        case .inDoubt(let error):
            "the destination was given the guest and has not said that it runs there (\(error)), nor answered since; it may, so "
                + "it stands still here: look there, and end this process if it runs; only if the process there has "
                + "ended may the guest be let go on here"
        }
    }
}
