import Glibc
import SystemPackage

extension Errno {
    /// Its name in the manual pages (`EACCES`), or its number where it is none that calls about memory return.
    var symbol: String {
        switch self {
        case .notPermitted: "EPERM"
        case .noSuchFileOrDirectory: "ENOENT"
        case .interrupted: "EINTR"
        case .ioError: "EIO"
        case .noSuchAddressOrDevice: "ENXIO"
        case .badFileDescriptor: "EBADF"
        case .resourceTemporarilyUnavailable: "EAGAIN"
        case .noMemory: "ENOMEM"
        case .permissionDenied: "EACCES"
        case .badAddress: "EFAULT"
        case .resourceBusy: "EBUSY"
        case .fileExists: "EEXIST"
        case .notDirectory: "ENOTDIR"
        case .isDirectory: "EISDIR"
        case .invalidArgument: "EINVAL"
        case .tooManyOpenFilesInSystem: "ENFILE"
        case .tooManyOpenFiles: "EMFILE"
        case .textFileBusy: "ETXTBSY"
        case .fileTooLarge: "EFBIG"
        case .noSpace: "ENOSPC"
        case .readOnlyFileSystem: "EROFS"
        case .fileNameTooLong: "ENAMETOOLONG"
        case .tooManySymbolicLinkLevels: "ELOOP"
        case .notSupported: "EOPNOTSUPP"
        case .diskQuotaExceeded: "EDQUOT"
        case Self.noDevice: "ENODEV"
        default: "errno \(rawValue)"
        }
    }

    /// ENODEV, which the package leaves out.
    static let noDevice = Errno(rawValue: Glibc.ENODEV)

    /// The errno that the last call of this thread left.
    static var last: Errno { Errno(rawValue: Glibc.errno) }
}
