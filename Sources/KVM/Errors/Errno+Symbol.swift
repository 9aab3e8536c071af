import Glibc
import SystemPackage

extension Errno {
    /// ENODEV, which the package leaves out.
    static let noDevice = Errno(rawValue: Glibc.ENODEV)

    /// Its name in the manual pages (`EACCES`), or its number where it is none that KVM's calls return.
    public var symbol: String {
        switch self {
        case .notPermitted: "EPERM"
        case .noSuchFileOrDirectory: "ENOENT"
        case .interrupted: "EINTR"
        case .ioError: "EIO"
        case .noSuchAddressOrDevice: "ENXIO"
        case .argListTooLong: "E2BIG"
        case .badFileDescriptor: "EBADF"
        case .resourceTemporarilyUnavailable: "EAGAIN"
        case .noMemory: "ENOMEM"
        case .permissionDenied: "EACCES"
        case .badAddress: "EFAULT"
        case .resourceBusy: "EBUSY"
        case .fileExists: "EEXIST"
        case .noDevice: "ENODEV"
        case .isDirectory: "EISDIR"
        case .invalidArgument: "EINVAL"
        case .tooManyOpenFilesInSystem: "ENFILE"
        case .tooManyOpenFiles: "EMFILE"
        case .inappropriateIOCTLForDevice: "ENOTTY"
        case .noSpace: "ENOSPC"
        case .notSupported: "EOPNOTSUPP"
        default: "errno \(rawValue)"
        }
    }
}
