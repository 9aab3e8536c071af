import VMAddressSpace

/// What a heat map is of, in words: what the numbers alone do not say.
struct HeatmapCaption {
    /// A part of guest memory that has a name.
    struct Region {
        let name: String
        let range: MemoryRange
    }

    /// The guest's name or path.
    let guest: String
    /// How written pages were found, such as "dirty ring".
    let method: String
    /// How long a sampling interval was meant to be.
    let interval: Duration
    /// A name that does not fit above its range is shortened or left out.
    let regions: [Region]

    init(guest: String, method: String, interval: Duration, regions: [Region] = []) {
        self.guest = guest
        self.method = method
        self.interval = interval
        self.regions = regions
    }
}
