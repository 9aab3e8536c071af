import BenchmarkSupport
import Glibc

/// A migration of QEMU's, of a machine of which no memory is zero and whose processor stands still, over a unix socket.
enum QEMUMigration {
    struct Figures {
        let seconds: Double
        /// In milliseconds.
        let downtime: Double
    }

    private static let program = "qemu-system-x86_64"

    /// Nil where there is no QEMU.
    static func run(memory: UInt64, scratch: String) throws -> Figures? {
        guard isInstalled else { return nil }
        let file = "/dev/shm/vmm-bench-\(getpid())"
        try fill(file, memory)
        defer { unlink(file) }
        let socket = "\(scratch)/qemu.socket"
        let source = try Monitor("\(scratch)/qemu-source.qmp", machine(memory, file))
        let target = try Monitor("\(scratch)/qemu-target.qmp", machine(memory, nil) + ["-incoming", "unix:\(socket)"])
        defer {
            source.end()
            target.end()
            unlink(socket)
        }
        try source.execute(#"{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":1099511627776}}"#)
        try source.execute(#"{"execute":"migrate","arguments":{"uri":"unix:"# + socket + #""}}"#)
        while true {
            let answer = try source.execute(#"{"execute":"query-migrate"}"#)
            if answer.contains(#""status": "completed""#), let total = number("total-time", answer),
                let downtime = number("downtime", answer)
            {
                return Figures(seconds: total / 1000, downtime: downtime)
            }
            guard !answer.contains(#""status": "failed""#) else { throw BenchmarkError("QEMU: \(answer)") }
            usleep(20_000)
        }
    }

    private static var isInstalled: Bool {
        guard let child = try? Child([program, "--version"], includesErrors: true) else { return false }
        return child.finish().status == 0
    }

    private static func machine(_ memory: UInt64, _ file: String?) -> [String] {
        let backend =
            file.map { "memory-backend-file,id=ram,size=\(memory),mem-path=\($0),share=on" }
            ?? "memory-backend-ram,id=ram,size=\(memory)"
        return [
            program, "-accel", "kvm", "-machine", "pc,memory-backend=ram", "-m", "\(memory >> 20)", "-object", backend,
            "-display", "none", "-nodefaults", "-S",
        ]
    }

    private static func fill(_ file: String, _ count: UInt64) throws {
        let block = [UInt8](repeating: 7, count: 1 << 20)
        let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw BenchmarkError("cannot write \(file)") }
        defer { close(descriptor) }
        for _ in 0..<(count >> 20) where write(descriptor, block, block.count) != block.count {
            throw BenchmarkError("cannot write \(file)")
        }
    }

    /// The number of a key in JSON as QEMU prints it.
    private static func number(_ key: String, _ text: String) -> Double? {
        guard let range = text.firstRange(of: "\"\(key)\": ") else { return nil }
        return Double(text[range.upperBound...].prefix { $0.isNumber || $0 == "." })
    }

    /// QEMU's own control socket (QMP).
    private final class Monitor {
        private let child: Child
        private let descriptor: Int32
        private let path: String

        init(_ path: String, _ arguments: [String]) throws {
            self.path = path
            unlink(path)
            child = try Child(arguments + ["-qmp", "unix:\(path),server=on,wait=off"], includesErrors: true)
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            try connect()
            _ = try line()
            try execute(#"{"execute":"qmp_capabilities"}"#)
        }

        private func connect() throws {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
            for _ in 0..<500 {
                let result = withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                    }
                }
                if result == 0 { return }
                usleep(10_000)
            }
            child.kill(SIGKILL)
            throw BenchmarkError("QEMU does not start: \(child.finish().output)")
        }

        /// - Returns: its answer.
        @discardableResult
        func execute(_ command: String) throws -> String {
            let text = Array((command + "\n").utf8)
            guard write(descriptor, text, text.count) == text.count else { throw BenchmarkError("QEMU has gone") }
            while true {
                let answer = try line()
                if !answer.contains(#""event":"#) { return answer }
            }
        }

        private func line() throws -> String {
            var bytes: [UInt8] = []
            var byte: UInt8 = 0
            while read(descriptor, &byte, 1) == 1 {
                if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
                bytes.append(byte)
            }
            throw BenchmarkError("QEMU has gone")
        }

        func end() {
            child.kill(SIGKILL)
            _ = child.finish()
            close(descriptor)
            unlink(path)
        }
    }
}
