import Glibc

/// What a measurement was made on, for whoever reads it elsewhere.
struct HostDescription: Equatable {
    let kernel: String
    let processor: String
    let processorCount: Int

    static var current: HostDescription {
        HostDescription(
            kernel: HostReport.kernelRelease, processor: processorName ?? "unknown",
            processorCount: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    }

    /// As /proc/cpuinfo has it.
    private static var processorName: String? {
        guard let file = fopen("/proc/cpuinfo", "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 1024)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            guard text.hasPrefix("model name"), let colon = text.firstIndex(of: ":") else { continue }
            return text[text.index(after: colon)...].split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        return nil
    }
}
