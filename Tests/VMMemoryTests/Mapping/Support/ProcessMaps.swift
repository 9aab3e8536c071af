import Glibc

/// One mapping of this process, as `/proc/self/smaps` has it.
struct MappedArea {
    let range: Range<UInt>
    /// `rw-p`
    let permissions: String
    /// The path or name at the end of the line.
    let name: String
    /// The two-letter names of `VmFlags` (proc(5)).
    let flags: [Substring]
}

enum ProcessMaps {
    static func areas() -> [MappedArea] {
        var areas: [MappedArea] = []
        var header: [Substring] = []
        for line in text(of: "/proc/self/smaps").split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
            if let first = words.first, first.contains("-"), !first.hasSuffix(":") {
                header = words
            } else if words.first == "VmFlags:" {
                let ends = header[0].split(separator: "-").map { UInt($0, radix: 16) ?? 0 }
                areas.append(
                    MappedArea(
                        range: ends[0]..<ends[1], permissions: String(header[1]),
                        name: header.count > 5 ? String(header[5]).trimmed : "",
                        flags: line.split(separator: " ").dropFirst().map { $0 }))
            }
        }
        return areas
    }

    /// The mapping that `address` is in.
    static func area(at address: UnsafeRawPointer) -> MappedArea? {
        areas().first { $0.range.contains(UInt(bitPattern: address)) }
    }

    static func text(of path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension String {
    fileprivate var trimmed: String {
        String(drop { $0 == " " })
    }
}

/// What the kernel, acting for this process, may do at an address: a system call reports `EFAULT` where an access
/// would fault.
enum Access {
    static func canRead(_ address: UnsafeRawPointer) -> Bool {
        withPipe { _, writeEnd in write(writeEnd, address, 1) == 1 }
    }

    /// Writes the byte that is there.
    static func canWrite(_ address: UnsafeMutableRawPointer) -> Bool {
        withPipe { readEnd, writeEnd in
            guard write(writeEnd, address, 1) == 1 else { return false }
            return read(readEnd, address, 1) == 1
        }
    }

    private static func withPipe(_ body: (CInt, CInt) -> Bool) -> Bool {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { return false }
        defer { for end in ends { close(end) } }
        return body(ends[0], ends[1])
    }
}

/// As many mappings as the process may have, until their owner goes away.
struct FilledMappings: ~Copyable {
    private let base: UnsafeMutableRawPointer?
    private static let count = 1 << 30

    init() {
        base = mmap(nil, Self.count, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        // Each other page: no two are one mapping of the kernel's.
        for offset in stride(from: 4096, to: Self.count, by: 8192) {
            guard let base, mprotect(base + offset, 4096, PROT_READ) == 0 else { return }
        }
    }

    /// Makes room for `count` mappings.
    func makeRoom(for count: Int) {
        munmap(base, count * 4096)
    }

    deinit {
        munmap(base, Self.count)
    }
}
