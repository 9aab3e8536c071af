/// Fixed seeds, and one that nobody has tried yet; a failing case names its own.
let seeds: [UInt64] = [1, 2, 3, .random(in: 4...(.max))]
