import SystemPackage
import VMAddressSpace
import VMHost

extension HostMemoryError: CustomStringConvertible {
    /// One sentence: what failed, on what, why, and what to do.
    public var description: String {
        "cannot \(task): \(cause)" + (advice.map { "; \($0)" } ?? "")
    }

    private var task: String {
        let file = file.map { "'\($0)'" }
        let bytes = extent.map { "\(hex($0.count)) bytes" } ?? "memory"
        let place = extent.map { "\(hex($0.count)) bytes at offset \(hex($0.offset))" } ?? "memory"
        let subject = file.map { "\(place) of \($0)" } ?? place
        return switch operation {
        case .reserve: "reserve \(bytes) of address space"
        case .map: "map \(subject)"
        case .unmap: "unmap \(subject)"
        case .move: "move \(subject)"
        case .moveTo: "move pages to \(subject)"
        case .protect: "change the protection of \(subject)"
        case .decommit: "decommit \(subject)"
        case .populate: "populate \(subject)"
        case .countResident: "count the resident pages of \(subject)"
        case .lock: "lock \(subject)"
        case .unlock: "unlock \(subject)"
        case .createMemfd: "make a memfd \(file ?? "") of \(bytes)"
        case .open: "open \(file ?? "a file") as memory"
        case .adopt: "use \(file ?? "a descriptor") as memory"
        case .getLength: "get the length of \(file ?? "a file")"
        case .preallocate: "preallocate \(subject)"
        case .punchHole: "punch a hole into \(subject)"
        }
    }

    private var cause: String {
        switch reason {
        case .empty: "the length is zero"
        case .misaligned(let size): "offset and length must be multiples of the page size, \(hex(size.bytes))"
        case .outOfBounds(let limit): "the range passes the end, \(hex(limit))"
        case .fileTooShort(let length): "the file is only \(hex(length)) bytes long"
        case .fileIsReadOnly: "the file is open for reading only"
        case .fileIsNotReadable: "the descriptor is not open for reading"
        case .notAFile(let kind): "it is \(kind.rawValue)"
        case .nameTooLong(let limit): "the name is longer than \(limit) bytes"
        case .copyOnWriteHugePages(let size): "memory in pages of \(size) cannot be mapped copy-on-write"
        case .alreadyMapped(let range): "\(text(range)) is mapped already"
        case .notMapped(let range): "nothing is mapped at \(text(range))"
        case .stranded(let range, let errno):
            "\(errno) (\(errno.symbol)); pages from \(text(range)) had been moved, and could not be moved back"
        case .locked(let range): "\(text(range)) is locked"
        case .notLocked(let range): "\(text(range)) is not locked"
        case .tooFewHugePages(let size): "the host has too few free huge pages of \(size)"
        case .noHugePageSize(let size): "the host has no huge pages of \(size)"
        case .tooManyMappings(let limit): "the process has all the mappings it may have, \(limit)"
        case .fileSizeLimit(let limit): "the process may not write files past \(hex(limit)) bytes"
        case .system(let errno): "\(errno) (\(errno.symbol))"
        }
    }

    private var advice: String? {
        switch reason {
        case .fileTooShort: "lengthen the file (truncate -s) or map less of it"
        case .fileIsReadOnly: "open it for writing, map it read-only, or map it copy-on-write"
        case .fileIsNotReadable: "open it for reading, or for reading and writing"
        case .notAFile: "give the path of a regular file"
        case .copyOnWriteHugePages: "map it shared"
        case .alreadyMapped: operation == .moveTo ? "unmap it first" : "unmap it first, or ask to replace it"
        case .locked: "wait until the devices that use it are done"
        case .tooFewHugePages(let size):
            "reserve some (sysctl vm.nr_hugepages, or "
                + "/sys/kernel/mm/hugepages/hugepages-\(size.bytes / 1024)kB/nr_hugepages)"
        case .noHugePageSize: "ls /sys/kernel/mm/hugepages lists the sizes it has"
        case .tooManyMappings: "raise it (sysctl vm.max_map_count), or map larger pieces"
        case .fileSizeLimit: "raise the limit (ulimit -f)"
        case .stranded: "free some of the host's memory, then move them back, or the others after them"
        case .system(let errno): advice(errno)
        default: nil
        }
    }

    private func advice(_ errno: Errno) -> String? {
        switch errno {
        case .noMemory where operation == .reserve:
            "ask for less, or raise the limit on address space (ulimit -v)"
        case .noMemory:
            "the host is out of memory, or the process over a limit (ulimit -v, ulimit -d, vm.overcommit_memory)"
        case .tooManyOpenFiles: "raise the limit on open files (ulimit -n)"
        case .tooManyOpenFilesInSystem: "raise the host's limit on open files (sysctl fs.file-max)"
        case .noSpace, .diskQuotaExceeded: "free some space on its file system, or ask for less memory"
        case .fileTooLarge: "its file system has a limit on file sizes"
        case .permissionDenied: "check the permissions of the file"
        case .notPermitted where operation == .open: "check the permissions of the file"
        case .notPermitted: "the file is sealed, or on a file system mounted noexec"
        case .readOnlyFileSystem: "open it read-only, or mount its file system for writing"
        case .notSupported where operation == .preallocate || operation == .punchHole || operation == .decommit:
            "its file system lacks fallocate(2); ext4, XFS, Btrfs and tmpfs have it"
        case .invalidArgument where operation == .populate: "it takes Linux 5.14 or later"
        case .badAddress where operation == .populate:
            "the file was truncated, its file system is full, or huge pages ran out"
        default: nil
        }
    }

    private func hex(_ value: UInt64) -> String {
        "0x" + String(value, radix: 16)
    }

    private func text(_ range: Range<UInt64>) -> String {
        "[\(hex(range.lowerBound)), \(hex(range.upperBound)))"
    }
}
