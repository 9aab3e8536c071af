import VMHost

extension SnapshotError: CustomStringConvertible {
    /// One sentence: what failed, on which file, why.
    public var description: String { "cannot \(task) '\(path)': \(reason)" }

    private var task: String {
        switch operation {
        case .create, .write: "write the snapshot"
        case .publish: "put in place the snapshot"
        case .synchronizeFolder: "make sure that a power failure leaves in place the snapshot"
        case .open: "open the snapshot"
        case .read: "read the snapshot"
        case .verify: "verify the snapshot"
        }
    }
}

extension SnapshotError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let errno): "\(errno) (\(errno.symbol))"
        case .diskFull(let errno): "the disk is full (\(errno.symbol))"
        case .exists: "there is a file of that name"
        case .notAFile: "it is no regular file"
        case .isSource: "it is one of the files that the snapshot is made from"
        case .fileSizeLimit(let limit): "the process may not write files past \(limit) bytes"
        case .blocks: "the blocks of memory are too many or too long, or have names that are too long or not their own"
        case .outOfBounds(let run): "block \(run.block) has no pages \(run.pages)"
        case .unreadable(let block, let page, let address):
            "page \(page) of \(block) cannot be read, at 0x\(String(address, radix: 16))"
        case .tooMuchState(let count): "\(count) bytes are too much state"
        case .tooManyRuns: "the pages are in too many pieces"
        case .incomplete(let errno): "pages are missing, since an earlier write failed: \(errno) (\(errno.symbol))"
        case .flaw(let flaw): "\(flaw)"
        case .badPage(let block, let page): "page \(page) of \(block) is damaged"
        case .strayBytes(let offset): "there are bytes where there is no page, at offset \(offset)"
        case .cutOff(let offset): "the file was cut off before offset \(offset)"
        case .otherParent(let expected, let found): "it is snapshot \(found), not the parent \(expected)"
        case .otherBlocks: "its blocks of memory are not the ones of the snapshot that is built on it"
        case .cycle: "it is its own ancestor"
        case .tooDeep: "it is made of more than \(SnapshotFormat.depthLimit) files"
        }
    }
}

extension SnapshotError.Flaw: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notASnapshot: "it is no snapshot"
        case .version(let version):
            "it has version \(version) of the format; version \(SnapshotFormat.version) is known"
        case .headerChecksum: "the header is damaged"
        case .reservedBits: "the header has flags that are not known"
        case .identifier: "the header has no identifier of its own"
        case .parentIdentifier: "the header has a parent though the snapshot is full, or has none though it is not"
        case .fileLength(let expected, let found): "it should be \(expected) bytes long, and is \(found)"
        case .indexPlace: "the index is not where it can be"
        case .indexChecksum: "the index is damaged"
        case .indexLength: "the index is longer or shorter than what is in it"
        case .blockCount: "the index has too many blocks"
        case .blockName: "a block has no proper name, or the name of another"
        case .blockPlace: "a block is where it cannot be, or where another is"
        case .emptyRun: "a run has no pages"
        case .runOrder: "runs of pages overlap, or are not in order"
        case .runOutOfBlock: "a run passes the end of its block"
        case .zeroRun: "a full snapshot has runs of zero pages"
        case .hashPlace: "the hashes of the pages are not where they can be"
        case .parentName: "the name of the parent's file is none that can be"
        case .stateLength: "there is too much state"
        case .state(let error): "\(error)"
        }
    }
}
