import BenchmarkSupport
import Glibc

/// What a process holds in memory besides its guest's RAM, by `/proc/PID/smaps` (`proc(5)`).
struct ResidentMemory {
    /// All pages, in KiB.
    let resident: UInt64
    /// The pages that no file and no other process has: `Anonymous`. Those of a file that was just written show as
    /// `Private_Dirty` until they are on disk, so that field says too much.
    let anonymous: UInt64

    /// - Parameter guestMemory: the size in KiB of the one mapping to leave out.
    init(of pid: pid_t, guestMemory: UInt64) throws {
        var (resident, anonymous, guests): (UInt64, UInt64, Int) = (0, 0, 0)
        var isGuest = false
        for line in try lines(ofFile: "/proc/\(pid)/smaps") {
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            guard words.count == 3, words[2] == "kB", let value = UInt64(words[1]) else { continue }
            switch words[0] {
            case "Size:":
                isGuest = value == guestMemory
                if isGuest { guests += 1 }
            case "Rss:" where !isGuest: resident += value
            case "Anonymous:" where !isGuest: anonymous += value
            default: break
            }
        }
        guard guests == 1 else {
            throw BenchmarkError("process \(pid) has \(guests) mappings of the size of the guest's RAM")
        }
        self.resident = resident
        self.anonymous = anonymous
    }
}

private func lines(ofFile path: String) throws -> [Substring] {
    String(decoding: try bytes(ofFile: path), as: UTF8.self).split(separator: "\n")
}
