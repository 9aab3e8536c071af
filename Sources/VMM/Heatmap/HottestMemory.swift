import VMAddressSpace
import VMDirtyTracking

/// The columns that were written most, neighbours together.
struct HottestMemory {
    struct Columns {
        let memory: [MemoryRange]
        /// Of the memory, in 4 KiB pages.
        let pageCount: UInt64
        /// Pages written in it over all the time.
        let written: UInt64
        /// In per cent of all that was written.
        let share: Double
    }

    /// The hottest first.
    let ranges: [Columns]

    /// - Parameter limit: the most ranges to list.
    init(_ heatmap: Heatmap, limit: Int = 8) {
        let totals = heatmap.columnTotals
        // Hot is what has at least half of what the hottest column has.
        let threshold = max(1, (totals.max() ?? 0) / 2)
        var runs: [(columns: Range<Int>, written: UInt64)] = []
        for (column, written) in totals.enumerated() where written >= threshold {
            if let last = runs.last, last.columns.upperBound == column {
                runs[runs.count - 1] = (last.columns.lowerBound..<(column + 1), last.written + written)
            } else {
                runs.append((column..<(column + 1), written))
            }
        }
        runs.sort { ($1.written, $0.columns.lowerBound) < ($0.written, $1.columns.lowerBound) }
        ranges = runs.prefix(limit).map { run in
            let memory = heatmap.axis.memory(ofColumns: run.columns)
            return Columns(
                memory: memory, pageCount: memory.reduce(0) { $0 + $1.pageCount }, written: run.written,
                share: Double(run.written) / Double(heatmap.totals.pageCount) * 100)
        }
    }
}
