import Glibc
import Testing
import VMAddressSpace
import VMBoot
import VMMemory

@Suite struct GuestImageTests {
    private func openingError(_ path: String) -> BootError? {
        do throws(BootError) {
            _ = try GuestImage(path: path)
            return nil
        } catch {
            return error
        }
    }

    @Test func `a file is read at any offset`() throws {
        let folder = TemporaryFolder()
        let image = try GuestImage(path: folder.file("kernel.bin", Array(0..<200)))
        #expect(image.name == "kernel.bin")
        #expect(image.count == 200)
        #expect(try image.read(at: 0, count: 3) == [0, 1, 2])
        #expect(try image.read(at: 197, count: 3) == [197, 198, 199])
        #expect(try image.read(at: 200, count: 0) == [])
    }

    @Test(arguments: [(0, 201), (200, 1), (201, 0), (UInt64.max, 1), (UInt64.max, 0), (1, Int.max)] as [(UInt64, Int)])
    func `reading past the end is an error, for files and bytes alike`(offset: UInt64, count: Int) throws {
        let folder = TemporaryFolder()
        let bytes = [UInt8](repeating: 1, count: 200)
        for image in [GuestImage(name: "bytes", bytes: bytes), try GuestImage(path: folder.file("file", bytes))] {
            let error = #expect(throws: BootError.self) { try image.read(at: offset, count: count) }
            #expect(error?.kind == .badImage)
            #expect(error?.message.contains("0xc8") == true)
        }
    }

    @Test func `a missing file and a file as a folder are no such input`() {
        let folder = TemporaryFolder()
        let file = folder.file("file", [1])
        for path in [folder.path + "/missing", file + "/below", ""] {
            #expect(openingError(path)?.kind == .noSuchInput)
            #expect(openingError(path)?.description == "\(path): there is no such file; check the path")
        }
    }

    @Test func `what else keeps a file from being opened is named`() {
        let error = openingError("/" + String(repeating: "x", count: 300))
        #expect(error?.kind == .noSuchInput)
        #expect(error?.message.contains("cannot be opened: File name too long") == true)
    }

    @Test func `a folder is told apart`() {
        let folder = TemporaryFolder()
        let error = openingError(folder.path)
        #expect(error?.kind == .noSuchInput)
        #expect(error?.message.hasPrefix("is a directory") == true)
    }

    @Test func `a path with a zero byte does not open what is before it`() {
        let folder = TemporaryFolder()
        #expect(openingError(folder.file("file", [1]) + "\0x")?.kind == .noSuchInput)
    }

    @Test(.timeLimit(.minutes(10)))
    func `neither a FIFO nor a device makes it wait`() {
        let folder = TemporaryFolder()
        for path in [folder.fifo("fifo"), "/dev/zero", "/dev/null"] {
            let error = openingError(path)
            #expect(error?.kind == .noSuchInput)
            #expect(error?.message.contains("not a regular file") == true)
        }
    }

    @Test func `an empty file is a bad image`() {
        let folder = TemporaryFolder()
        let error = openingError(folder.file("empty", []))
        #expect(error?.kind == .badImage)
        #expect(error?.message.contains("empty") == true)
    }

    @Test func `a file without read permission is not permitted`() {
        let folder = TemporaryFolder()
        let path = folder.file("secret", [1])
        chmod(path, 0)
        withoutRootsRights {
            #expect(openingError(path)?.kind == .notPermitted)
        }
    }

    @Test func `a file that is cut short after it was opened is an error, not a crash`() throws {
        let folder = TemporaryFolder()
        let path = folder.file("kernel", [UInt8](repeating: 7, count: 10000))
        let memory = ram(4 << 20)
        let request = BootRequest(image: try GuestImage(path: path), format: .flat32, memory: memory)
        let plan = try BootPlan(request)
        truncate(path, 5000)
        let guest = try GuestMemory(anonymous: memory)
        let error = #expect(throws: BootError.self) { try plan.load(into: guest) }
        #expect(error?.kind == .badImage)
        #expect(error?.message.contains("0x1388") == true)
    }

    @Test func `a file's name cannot write control characters into a message`() {
        let error = openingError("/missing/\u{1b}[2J\n\u{202e}x")
        #expect(error?.subject == "/missing/\\u{1b}[2J\\u{a}\\u{202e}x")
    }
}
