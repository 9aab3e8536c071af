import VMAddressSpace
import VMRegions

/// What the guest sees in each page of a `PageModel`'s window.
struct PageMap: Equatable {
    /// The memory, and what may be done with it; 0 for none.
    var memory = [UInt64](repeating: 0, count: PageModel.pageCount)
    /// The region, and whether its pages are provided at once; 0 for none.
    var owners = [UInt64](repeating: 0, count: PageModel.pageCount)

    /// By the definition: from the lowest priority to the highest, and of equal ones from the youngest to the oldest, each
    /// region paints over what is there.
    init(_ model: PageModel) {
        let order = model.regions.sorted { ($0.priority, $1.id) < ($1.priority, $0.id) }
        for region in order {
            guard let parameters = region.parameters else { continue }
            for (index, page) in region.window.enumerated() {
                owners[page] = region.id.rawValue << 1
                memory[page] = 0
                guard let shown = region.pages[index] else { continue }
                owners[page] |= parameters.prefetch ? 1 : 0
                memory[page] = Self.code(
                    shown.backing, UInt64(shown.number), shown.isWritable && parameters.isWritable,
                    parameters.isExecutable)
            }
        }
    }

    /// - Returns: nil where the pieces are not in order, overlap, leave the window, or two of them could be one.
    init?(_ pieces: [ViewPiece], firstFrame: UInt64) {
        var end = 0
        for (index, piece) in pieces.enumerated() {
            let window = Self.window(piece.range, firstFrame)
            guard window.lowerBound >= end, window.upperBound <= PageModel.pageCount else { return nil }
            end = window.upperBound
            for page in window {
                owners[page] = piece.region.rawValue << 1 | (piece.memory?.prefetch == true ? 1 : 0)
                memory[page] = piece.memory.map { Self.code($0, page - window.lowerBound) } ?? 0
            }
            guard index > 0, window.lowerBound > 0 else { continue }
            if canBeOne(window.lowerBound - 1, window.lowerBound) { return nil }
        }
    }

    /// Whether two neighbouring pages show one region and memory that goes on.
    private func canBeOne(_ page: Int, _ next: Int) -> Bool {
        owners[page] == owners[next] && owners[page] != 0 && (memory[page] == 0) == (memory[next] == 0)
            && (memory[page] == 0 || memory[next] == Self.following(memory[page]))
    }

    /// Does what the operations say.
    /// - Returns: a complaint where they cannot be done, come in the wrong order, or could be fewer.
    mutating func apply(_ operations: [PlanOperation], firstFrame: UInt64) -> String? {
        let before = memory
        var mappedEnd: Int?
        var unmappedEnd: Int?
        for operation in operations {
            let window = Self.window(operation.range, firstFrame)
            switch operation {
            case .unmap:
                if mappedEnd != nil { return "\(operation) comes after memory was mapped" }
                if unmappedEnd.map({ window.lowerBound <= $0 }) == true {
                    return "\(operation) belongs to the one before"
                }
                for page in window {
                    if memory[page] == 0 { return "\(operation): nothing is mapped" }
                    memory[page] = 0
                }
                unmappedEnd = window.upperBound
            case .map(_, let shown):
                let first = Self.code(shown, 0)
                if let end = mappedEnd {
                    if window.lowerBound < end { return "\(operation) is out of order" }
                    let isNext = window.lowerBound == end && Self.following(memory[end - 1]) == first
                    if isNext, (owners[end - 1] & 1 == 1) == shown.prefetch {
                        return "\(operation) goes on the one before"
                    }
                }
                for page in window {
                    if memory[page] != 0 { return "\(operation): memory is mapped" }
                    memory[page] = Self.code(shown, page - window.lowerBound)
                    owners[page] = shown.prefetch ? 1 : 0
                }
                mappedEnd = window.upperBound
            }
        }
        for operation in operations {
            for page in Self.window(operation.range, firstFrame) where memory[page] == before[page] {
                return "\(operation) changes nothing of page \(page)"
            }
        }
        return nil
    }

    private static func window(_ range: MemoryRange, _ firstFrame: UInt64) -> Range<Int> {
        guard range.start.frame >= firstFrame else { return 0..<0 }
        return Int(range.start.frame - firstFrame)..<Int(range.last.frame - firstFrame + 1)
    }

    private static func code(_ memory: PieceMemory, _ page: Int) -> UInt64 {
        code(memory.backing, memory.backingOffset / 4096 + UInt64(page), memory.isWritable, memory.isExecutable)
    }

    private static func code(_ backing: BackingID, _ page: UInt64, _ isWritable: Bool, _ isExecutable: Bool) -> UInt64 {
        (backing.rawValue << 32 | page) << 3 | (isWritable ? 4 : 0) | (isExecutable ? 2 : 0) | 1
    }

    /// What goes on where `memory` ends.
    private static func following(_ memory: UInt64) -> UInt64 {
        memory + 1 << 3
    }
}
