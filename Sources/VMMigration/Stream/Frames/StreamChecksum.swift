import CChecksum

/// XXH3 with 64 bits, as xxHash defines it.
enum StreamChecksum {
    static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        cchecksum_xxh3(bytes.baseAddress, bytes.count, seed)
    }

    /// The digest of a channel after one more frame: XXH3-64 of the frame's checksum, seeded with the digest before it, which
    /// is 0 before the first. So it covers all bytes that were sent, and their order.
    static func digest(_ digest: UInt64, followedBy checksum: UInt64) -> UInt64 {
        withUnsafeBytes(of: checksum.littleEndian) { of($0, seed: digest) }
    }
}
