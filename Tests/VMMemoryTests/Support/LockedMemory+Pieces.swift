import VMMemory

extension LockedMemory {
    /// What `body` makes of each piece.
    func mapPieces<Result>(_ body: (borrowing Piece) throws -> Result) rethrows -> [Result] {
        var results: [Result] = []
        try forEachPiece { piece in results.append(try body(piece)) }
        return results
    }

    /// Calls `body` with the bytes of one piece.
    func withBytes(ofPiece index: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        var number = 0
        forEachPiece { piece in
            if number == index { piece.withUnsafeMutableBytes(body) }
            number += 1
        }
    }
}
