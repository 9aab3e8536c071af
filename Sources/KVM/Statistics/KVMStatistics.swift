import CKVM
import Glibc
import SystemPackage

/// The owner of a descriptor of KVM's binary statistics (KVM API document, section 4.131, `KVM_GET_STATS_FD`), which can be
/// read by any thread while what they are about runs.
public struct KVMStatistics: ~Copyable, Sendable {
    private let descriptor: KVMDescriptor
    /// Where each number is, by its name.
    private let offsets: [String: Int]

    /// Far more than any kernel has: descriptors are 16 bytes and a name, and there are some dozens.
    private static let largestTable = 1 << 20

    /// - Throws: `EIO` where the kernel's table is not as its document says.
    init(descriptor: consuming KVMDescriptor) throws(KVMError) {
        let header = try Self.read(descriptor.rawValue, at: 0, count: MemoryLayout<kvm_stats_header>.size)
            .loadUnaligned(as: kvm_stats_header.self)
        let size = MemoryLayout<ckvm_stats_descriptor>.size + Int(header.name_size)
        let (byteCount, overflow) = size.multipliedReportingOverflow(by: Int(header.num_desc))
        guard !overflow, byteCount <= Self.largestTable else { throw Self.failure(.ioError) }
        let table = try Self.read(descriptor.rawValue, at: Int(header.desc_offset), count: byteCount)
        var offsets: [String: Int] = [:]
        for index in 0..<Int(header.num_desc) {
            let entry = table[(index * size)..<((index + 1) * size)]
            let name = entry.dropFirst(MemoryLayout<ckvm_stats_descriptor>.size).prefix { $0 != 0 }
            let fixed = Array(entry.prefix(MemoryLayout<ckvm_stats_descriptor>.size))
                .loadUnaligned(as: ckvm_stats_descriptor.self)
            // Histograms have more than one.
            guard fixed.size == 1 else { continue }
            offsets[String(decoding: name, as: UTF8.self)] = Int(header.data_offset) + Int(fixed.offset)
        }
        self.descriptor = descriptor
        self.offsets = offsets
    }

    /// A number, as it is now; nil where this kernel does not have one of that name.
    public borrowing func value(_ name: String) -> UInt64? {
        guard let offset = offsets[name] else { return nil }
        return try? Self.read(descriptor.rawValue, at: offset, count: MemoryLayout<UInt64>.size)
            .loadUnaligned(as: UInt64.self)
    }

    private static func read(_ descriptor: Int32, at offset: Int, count: Int) throws(KVMError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let result = pread(descriptor, &bytes, count, offset)
        guard result >= 0 else { throw failure(Errno(rawValue: Glibc.errno)) }
        guard result == count else { throw failure(.ioError) }
        return bytes
    }

    private static func failure(_ errno: Errno) -> KVMError {
        .call(.getStatistics, errno, about: "reading them")
    }
}

extension VCPU {
    /// Its statistics. To be called before it runs: the kernel does not answer while it does.
    /// - Throws: `KVMError.call`, where the host's KVM has none, too.
    public borrowing func makeStatistics() throws(KVMError) -> KVMStatistics {
        let opened = try descriptor.call(.getStatistics, CKVM_GET_STATS_FD, about: "vCPU \(id)")
        return try KVMStatistics(descriptor: KVMDescriptor(owning: Int32(opened)))
    }
}

extension [UInt8] {
    /// The C structure that they begin with; there are enough of them.
    fileprivate func loadUnaligned<Value: BitwiseCopyable>(as type: Value.Type) -> Value {
        withUnsafeBytes { $0.loadUnaligned(as: type) }
    }
}
