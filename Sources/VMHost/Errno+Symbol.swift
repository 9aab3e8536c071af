import Glibc
import SystemPackage

extension Errno {
    /// ENODEV, which the package leaves out.
    package static let noDevice = Errno(rawValue: Glibc.ENODEV)

    /// The errno that the last call of this thread left.
    package static var last: Errno { Errno(rawValue: Glibc.errno) }

    /// Its name in the manual pages (`EACCES`), or its number where it is none that the calls of this package return.
    package var symbol: String {
        switch self {
        case .argListTooLong: "E2BIG"
        case .permissionDenied: "EACCES"
        case .resourceTemporarilyUnavailable: "EAGAIN"
        case .badFileDescriptor: "EBADF"
        case .resourceBusy: "EBUSY"
        case .diskQuotaExceeded: "EDQUOT"
        case .fileExists: "EEXIST"
        case .badAddress: "EFAULT"
        case .fileTooLarge: "EFBIG"
        case .interrupted: "EINTR"
        case .invalidArgument: "EINVAL"
        case .ioError: "EIO"
        case .isDirectory: "EISDIR"
        case .tooManySymbolicLinkLevels: "ELOOP"
        case .tooManyOpenFiles: "EMFILE"
        case .fileNameTooLong: "ENAMETOOLONG"
        case .tooManyOpenFilesInSystem: "ENFILE"
        case Self.noDevice: "ENODEV"
        case .noSuchFileOrDirectory: "ENOENT"
        case .noMemory: "ENOMEM"
        case .noSpace: "ENOSPC"
        case .notDirectory: "ENOTDIR"
        case .inappropriateIOCTLForDevice: "ENOTTY"
        case .noSuchAddressOrDevice: "ENXIO"
        case .notSupported: "EOPNOTSUPP"
        case .notPermitted: "EPERM"
        case .readOnlyFileSystem: "EROFS"
        case .textFileBusy: "ETXTBSY"
        default: "errno \(rawValue)"
        }
    }
}
