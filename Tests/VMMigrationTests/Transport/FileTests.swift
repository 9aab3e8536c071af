import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import VMMigration

@Suite("Streams in files")
struct FileTests {
    private let folder: TemporaryFolder
    private let uri: MigrationURI

    init() throws {
        folder = try TemporaryFolder()
        uri = try MigrationURI("file:" + folder.path("stream"))
    }

    private var names: [String] { ((try? TemporaryFolder.entries(folder.path)) ?? ["?"]).sorted() }

    private func connecting(_ uri: MigrationURI) -> TransportError? {
        failure { () throws(TransportError) in try Connection.connect(uri) }
    }

    @Test("A file has its name once it is finished, and reads as it was written", arguments: Setup.backends)
    func whole(_ backend: IOBackend) throws {
        let bytes = (0..<300_001).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
        let sender = try Connection.connect(uri, backend: backend)
        #expect(!sender.isBidirectional && !sender.canBeRejoined)
        try sender.send(bytes)
        #expect(!names.contains("stream"))
        try sender.finish()
        #expect(names == ["stream"])
        #expect(failure { () throws(TransportError) in try sender.send([1]) } == .finished(uri))
        let listener = try Listener(uri)
        let receiver = try listener.accept(backend: backend)
        #expect(try receiver.receive(100_000) + receiver.receive(200_001) == bytes)
        #expect(
            failure { () throws(TransportError) in try receiver.receive(1) } == .closed(uri, received: 0, wanted: 1))
    }

    @Test("Without being finished nothing is left, and what was there stays", arguments: Setup.backends)
    func dropped(_ backend: IOBackend) throws {
        do {
            let sender = try Connection.connect(uri, backend: backend)
            try sender.send([1, 2, 3])
        }
        #expect(names == [])
        _ = try folder.file("stream", "old")
        do {
            let sender = try Connection.connect(uri, backend: backend)
            try sender.send([1, 2, 3])
            sender.cancel()
            #expect(failure { () throws(TransportError) in try sender.finish() } == .cancelled(uri))
        }
        #expect(names == ["stream"])
        #expect(try folder.contents("stream") == Array("old".utf8))
    }

    @Test("A finished file replaces one that was there")
    func replacing() throws {
        _ = try folder.file("stream", "old and longer")
        let sender = try Connection.connect(uri)
        try sender.send([1, 2, 3])
        try sender.finish()
        #expect(try folder.contents("stream") == [1, 2, 3])
        #expect(names == ["stream"])
    }

    @Test("Only its user may read it")
    func mode() throws {
        let sender = try Connection.connect(uri)
        try sender.finish()
        var status = stat()
        #expect(stat(folder.path("stream"), &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test("A symbolic link stays one, and what it leads to is replaced")
    func symbolicLink() throws {
        _ = try folder.file("real", "old")
        #expect(symlink("real", folder.path("stream")) == 0)
        let sender = try Connection.connect(uri)
        try sender.send([5])
        try sender.finish()
        #expect(try folder.contents("real") == [5])
        #expect(names == ["real", "stream"])
    }

    @Test("A name without folder is one in the current folder")
    func relative() throws {
        let name = "vmm-test-\(getpid())-relative"
        defer { unlink(name) }
        let sender = try Connection.connect(MigrationURI("file:\(name)"))
        try sender.send([6])
        try sender.finish()
        #expect(try TemporaryFolder.contents(ofFile: name) == [6])
    }

    @Test("What cannot be written is refused before anything is sent")
    func refusals() throws {
        let missing = try MigrationURI("file:" + folder.path("none/stream"))
        #expect(connecting(missing)?.description.contains("ENOENT") == true)
        let itself = try MigrationURI("file:" + folder.path)
        #expect(connecting(itself) == .file(itself, operation: "creating", .isDirectory))
        let long = try MigrationURI("file:" + folder.path(String(repeating: "x", count: 256)))
        #expect(connecting(long) == .file(long, operation: "creating", .fileNameTooLong))
        let pipe = try MigrationURI("file:" + folder.pipe("pipe"))
        #expect(connecting(pipe) == .notARegularFile(pipe))
        let device = try MigrationURI("file:/dev/full")
        #expect(connecting(device) == .notARegularFile(device))
        #expect(names == ["pipe"])
    }

    @Test("What cannot be read is refused when listening")
    func unreadable() throws {
        func listening(_ uri: MigrationURI) -> TransportError? {
            failure { () throws(TransportError) in _ = try Listener(uri) }
        }
        #expect(listening(uri) == .file(uri, operation: "opening", .noSuchFileOrDirectory))
        let itself = try MigrationURI("file:" + folder.path)
        #expect(listening(itself) == .file(itself, operation: "opening", .isDirectory))
        let pipe = try MigrationURI("file:" + folder.pipe("pipe"))
        #expect(listening(pipe) == .notARegularFile(pipe))
    }

    @Test("A full disk is told as one", arguments: Setup.backends)
    func full(_ backend: IOBackend) throws {
        let device = open("/dev/full", O_WRONLY | O_CLOEXEC)
        try #require(device >= 0)
        let sender = try Connection.connect(MigrationURI("fd:\(device)"), backend: backend)
        #expect(failure { () throws(TransportError) in try sender.send([1]) } == .diskFull(sender.uri, .noSpace))
    }

    @Test("A file by its descriptor is written from its position on", arguments: Setup.backends)
    func descriptor(_ backend: IOBackend) throws {
        let path = try folder.file("open", "abcdef")
        let file = open(path, O_RDWR | O_CLOEXEC)
        try #require(file >= 0 && lseek(file, 3, SEEK_SET) == 3)
        let sender = try Connection.connect(MigrationURI("fd:\(file)"), backend: backend)
        try sender.send(Array("XY".utf8))
        try sender.send(Array("Z!".utf8))
        try sender.finish()
        #expect(try folder.contents("open") == Array("abcXYZ!".utf8))
    }

    @Test("Where the file system has no files without a name, a temporary name does, and goes")
    func named() throws {
        do {
            let file = try OutputFile(folder.path("stream"), uri, allowsNameless: false)
            #expect(names.count == 1 && names.first?.hasSuffix(".part") == true)
            #expect(write(file.descriptor, "abc", 3) == 3)
            try file.publish()
            close(file.descriptor)
            #expect(try folder.contents("stream") == Array("abc".utf8))
            let other = try OutputFile(folder.path("stream"), uri, allowsNameless: false)
            close(other.descriptor)
        }
        #expect(names == ["stream"])
    }
}
