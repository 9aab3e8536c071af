extension MemoryRange {
    /// It in the fewest pages it can be made of, as ascending runs of pages of one size: small ones up to the first
    /// boundary of a larger page, large ones, and small ones again. At most five runs; lazy, and without allocations.
    /// - Parameter largest: the largest page to use.
    @inlinable
    public func pageRuns(upTo largest: PageSize = .size1G) -> PageRuns {
        PageRuns(self, upTo: largest)
    }

    /// The same for memory that is mapped: a page can be as large as the guest's and the host's addresses have the same
    /// offset in.
    /// - Parameter hostAddress: of what is behind the first byte, page-aligned.
    @inlinable
    public func pageRuns(mappedTo hostAddress: UInt) -> PageRuns {
        PageRuns(self, upTo: .largest(dividing: UInt64(hostAddress) &- start.rawValue) ?? .size4K)
    }
}

/// Adjoining pages of one size.
@frozen
public struct PageRun: Hashable, Sendable {
    /// The pages; aligned to `size`.
    public let range: MemoryRange
    /// Of each page.
    public let size: PageSize

    @inlinable
    init(_ range: MemoryRange, of size: PageSize) {
        self.range = range
        self.size = size
    }

    /// How many pages.
    @inlinable
    public var pageCount: UInt64 {
        (range.last.rawValue - range.start.rawValue) >> size.shift + 1
    }
}

/// A range as runs of pages, each as large as can be.
@frozen
public struct PageRuns: Sequence, IteratorProtocol, Sendable {
    @usableFromInline
    var rest: MemoryRange?
    @usableFromInline
    let largest: PageSize

    @inlinable
    init(_ range: MemoryRange, upTo largest: PageSize) {
        self.rest = range
        self.largest = largest
    }

    @inlinable
    public mutating func next() -> PageRun? {
        guard let rest else { return nil }
        // From the largest size down, either pages of it come first, or what is before its first page is for smaller ones.
        var head = rest
        for size in [PageSize.size1G, .size2M] where size <= largest {
            guard let pages = head.largestSubrange(alignedTo: size) else { continue }
            guard let smaller = head.subtracting(pages).below else { return take(pages, of: size, from: rest) }
            head = smaller
        }
        return take(head, of: .size4K, from: rest)
    }

    @inlinable
    mutating func take(_ pages: MemoryRange, of size: PageSize, from range: MemoryRange) -> PageRun {
        rest = range.subtracting(pages).above
        return PageRun(pages, of: size)
    }
}
