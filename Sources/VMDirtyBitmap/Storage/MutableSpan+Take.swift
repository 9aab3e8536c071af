extension MutableSpan where Element == UInt64 {
    /// ORs the words of a walk into these, of which the first stands for `firstWord`. The walk must lie within.
    /// - Returns: how many pages it had.
    mutating func take(_ walk: consuming DirtyWordWalk<Taking>, firstWord: UInt64) -> UInt64 {
        var count: UInt64 = 0
        while let word = walk.next() {
            let index = Int(truncatingIfNeeded: (word.firstPage &>> 6) &- firstWord)
            // Apart, because counting bits takes a dozen instructions without an instruction of the processor for it.
            if word.bits == ~0 {
                self[index] = ~0
                count &+= 64
            } else {
                self[index] |= word.bits
                count &+= word.pageCount
            }
        }
        return count
    }

    /// The same where a word of the walk may lie across two of these.
    /// - Parameter base: the page that the first bit stands for. It may be less than 0, and has then wrapped around; the
    ///   walk's pages all have bits here.
    mutating func take(_ walk: consuming DirtyWordWalk<Taking>, base: UInt64) -> UInt64 {
        var count: UInt64 = 0
        while let word = walk.next() {
            count &+= word.pageCount
            let distance = Int64(bitPattern: word.firstPage &- base)
            guard distance >= 0 else {
                self[0] |= word.bits >> UInt64(-distance)
                continue
            }
            let index = Int(distance >> 6)
            let shift = UInt64(distance & 63)
            self[index] |= word.bits << shift
            let rest = shift == 0 ? 0 : word.bits >> (64 - shift)
            if rest != 0 { self[index + 1] |= rest }
        }
        return count
    }
}
