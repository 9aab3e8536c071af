import Glibc

/// The part of a list of pieces that is being sent: a copy of some at a time, of which those that are sent can be cut off.
struct PieceWindow: ~Copyable {
    /// How many it holds: the kernel takes them in anew with each call, and each call takes up to about the buffer of a
    /// socket, so that more would mostly be read in vain.
    static let capacity = 256

    private let storage: UnsafeMutablePointer<iovec>
    /// Of those in `storage`, which are still to be sent.
    private var remaining: Range<Int> = 0..<0

    init() {
        storage = .allocate(capacity: Self.capacity)
    }

    deinit {
        storage.deallocate()
    }

    var isEmpty: Bool { remaining.isEmpty }

    /// What is still to be sent. Valid until the window changes.
    var pieces: UnsafeMutableBufferPointer<iovec> {
        UnsafeMutableBufferPointer(start: storage + remaining.lowerBound, count: remaining.count)
    }

    /// Takes in pieces from the start of a list, instead of what it held. Empty ones are left out.
    /// - Returns: how many were looked at.
    mutating func fill(from list: Slice<UnsafeBufferPointer<iovec>>) -> Int {
        var held = 0
        var seen = 0
        for piece in list {
            if held == Self.capacity { break }
            seen += 1
            guard piece.iov_len > 0 else { continue }
            (storage + held).initialize(to: piece)
            held += 1
        }
        remaining = 0..<held
        return seen
    }

    /// Cuts off bytes that were sent, at most as many as there are.
    mutating func drop(_ count: Int) {
        var left = count
        while left > 0, let first = remaining.first {
            let length = storage[first].iov_len
            guard left < length else {
                remaining = (first + 1)..<remaining.upperBound
                left -= length
                continue
            }
            storage[first].iov_base += left
            storage[first].iov_len = length - left
            return
        }
    }
}
