import Glibc

/// The program's own code and constants in memory. Parsing flags and making a machine touch most of what they ever need;
/// running a guest needs next to nothing of it.
enum ProgramPages {
    /// Takes the pages of code and constants out of this process's resident memory. They stay in the host's page cache,
    /// and those still used come back as they are touched.
    static func release() {
        let ranges = unwritableFileRanges
        // Last, and by itself: whatever ran after it would bring its own pages back.
        for range in ranges {
            // SAFETY: a private mapping of a file that the program cannot write to holds nothing but the file's content,
            // which the kernel reads anew. (A debugger can have written to it: its breakpoints of before are gone then.)
            madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
        }
    }

    private static var unwritableFileRanges: [Range<UInt>] {
        guard let maps = fopen("/proc/self/maps", "r") else { return [] }
        defer { fclose(maps) }
        var ranges: [Range<UInt>] = []
        var line = [CChar](repeating: 0, count: 4352)
        while fgets(&line, Int32(line.count), maps) != nil {
            if let range = unwritableFileRange(line) { ranges.append(range) }
        }
        return ranges
    }

    /// The addresses of a line of `/proc/PID/maps` (`start-end perms offset device inode path`), if it is a private
    /// mapping of a file without write permission. One that is read-only after relocation can have been written to, so
    /// only executable ones count.
    private static func unwritableFileRange(_ line: [CChar]) -> Range<UInt>? {
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let fields = text.split(separator: " ", omittingEmptySubsequences: true)
        guard fields.count > 5, fields[1] == "r-xp", fields[4] != "0" else { return nil }
        let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        guard ends.count == 2, ends[0] < ends[1] else { return nil }
        return ends[0]..<ends[1]
    }
}
