extension RandomAccessCollection {
    /// The index of the first element for which `belongsInSecondPart` holds, given that it then holds for all that
    /// follow; the end where it holds for none. A binary search.
    @inlinable
    package func partitioningIndex<Failure: Error>(
        where belongsInSecondPart: (Element) throws(Failure) -> Bool
    ) throws(Failure) -> Index {
        var rest = startIndex..<endIndex
        while !rest.isEmpty {
            let middle = index(rest.lowerBound, offsetBy: distance(from: rest.lowerBound, to: rest.upperBound) / 2)
            rest =
                try belongsInSecondPart(self[middle])
                ? rest.lowerBound..<middle : index(after: middle)..<rest.upperBound
        }
        return rest.lowerBound
    }
}
