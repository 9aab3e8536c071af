import VMAddressSpace

/// Pages that are zero.
enum ZeroPage {
    private typealias Words = SIMD8<UInt64>
    /// Words that are looked at before it is decided to look at more.
    private static let step = 4

    /// Whether a page is zero. Most pages that are not say so in their first bytes.
    /// - Parameter page: 4 KiB that nobody writes meanwhile, aligned to 64 bytes.
    static func isZero(_ page: UnsafeRawPointer) -> Bool {
        let words = page.assumingMemoryBound(to: Words.self)
        if words[0] != .zero { return false }
        let count = Int(PageSize.size4K.bytes) / MemoryLayout<Words>.size
        var index = 0
        while index < count {
            let found = words[index] | words[index + 1] | words[index + 2] | words[index + 3]
            if found != .zero { return false }
            index += step
        }
        return true
    }
}
