/// A hash of the content of a page, to tell whether it has changed: 64 bits, four words at a time.
///
/// Four lanes take every fourth word of 8 bytes each. A lane adds the word, multiplied, then turns and multiplies itself, as
/// in xxHash. All steps are bijections, of the word as of the lane, and so is what joins the lanes. So two pages that
/// differ in one word never have the same hash, and others with a probability of about 2^-64. It is not made against whoever
/// looks for such pages.
enum PageHash {
    private static let first: UInt64 = 0x9e37_79b1_85eb_ca87
    private static let second: UInt64 = 0xc2b2_ae3d_27d4_eb4f

    /// - Parameter bytes: what is left over at the end of a multiple of 32 is not hashed. Pages have nothing.
    static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var lanes = SIMD4<UInt64>(first &+ second, second, 0, 0 &- first)
        var offset = 0
        while offset &+ 32 <= bytes.count {
            let words = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
            lanes = lanes &+ words &* second
            lanes = (lanes &<< 31 | lanes &>> 33) &* first
            offset &+= 32
        }
        var hash = UInt64(bytes.count)
        for index in 0..<4 {
            hash = (hash ^ lanes[index]) &* first
            hash ^= hash &>> 29
        }
        return hash &* second ^ (hash &* second) &>> 32
    }
}
