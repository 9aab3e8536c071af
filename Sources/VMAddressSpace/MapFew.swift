extension RandomAccessCollection {
    /// As `map`, but for the one element that there mostly is (a guest's RAM is one region, one piece and one slot) it makes
    /// the array at its size, and runs none of the code that lets arrays grow.
    @inlinable
    @inline(__always)
    package func mapFew<Result, Failure: Error>(
        _ transform: (Element) throws(Failure) -> Result
    ) throws(Failure) -> [Result] {
        count == 1 ? [try transform(self[startIndex])] : try map(transform)
    }
}
