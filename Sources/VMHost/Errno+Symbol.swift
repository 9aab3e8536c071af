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
        case .addressFamilyNotSupported: "EAFNOSUPPORT"
        case .addressInUse: "EADDRINUSE"
        case .addressNotAvailable: "EADDRNOTAVAIL"
        case .resourceTemporarilyUnavailable: "EAGAIN"
        case .badFileDescriptor: "EBADF"
        case .resourceBusy: "EBUSY"
        case .connectionAbort: "ECONNABORTED"
        case .connectionRefused: "ECONNREFUSED"
        case .connectionReset: "ECONNRESET"
        case .diskQuotaExceeded: "EDQUOT"
        case .fileExists: "EEXIST"
        case .badAddress: "EFAULT"
        case .fileTooLarge: "EFBIG"
        case .hostIsDown: "EHOSTDOWN"
        case .noRouteToHost: "EHOSTUNREACH"
        case .interrupted: "EINTR"
        case .invalidArgument: "EINVAL"
        case .ioError: "EIO"
        case .isDirectory: "EISDIR"
        case .tooManySymbolicLinkLevels: "ELOOP"
        case .tooManyOpenFiles: "EMFILE"
        case .fileNameTooLong: "ENAMETOOLONG"
        case .networkDown: "ENETDOWN"
        case .networkReset: "ENETRESET"
        case .networkUnreachable: "ENETUNREACH"
        case .tooManyOpenFilesInSystem: "ENFILE"
        case .noBufferSpace: "ENOBUFS"
        case Self.noDevice: "ENODEV"
        case .noSuchFileOrDirectory: "ENOENT"
        case .noMemory: "ENOMEM"
        case .noSpace: "ENOSPC"
        case .noFunction: "ENOSYS"
        case .socketNotConnected: "ENOTCONN"
        case .notDirectory: "ENOTDIR"
        case .notSocket: "ENOTSOCK"
        case .inappropriateIOCTLForDevice: "ENOTTY"
        case .noSuchAddressOrDevice: "ENXIO"
        case .notSupported: "EOPNOTSUPP"
        case .notPermitted: "EPERM"
        case .brokenPipe: "EPIPE"
        case .protocolError: "EPROTO"
        case .readOnlyFileSystem: "EROFS"
        case .illegalSeek: "ESPIPE"
        case .timedOut: "ETIMEDOUT"
        case .textFileBusy: "ETXTBSY"
        default: "errno \(rawValue)"
        }
    }
}
