import VMAddressSpace

/// Sends the pages of blocks for the first time, one channel's share of them.
struct FirstCopy {
    private let memory: SourceMemory
    private let channel: SourceChannel
    private let channelCount: Int
    private let populated: PopulatedPages

    init(_ memory: SourceMemory, _ channel: SourceChannel, _ channelCount: Int) {
        self.memory = memory
        self.channel = channel
        self.channelCount = channelCount
        populated = PopulatedPages()
    }

    func send(_ run: PageRun) throws(MigrationError) {
        var next = run.pages.lowerBound
        try memory.forEachPlace(of: run) { (place, pointer) throws(MigrationError) in
            // What is nowhere was never touched.
            try sendZeros(PageRun(block: run.block, pages: next..<place.pages.lowerBound))
            next = place.pages.upperBound
            guard memory.isAnonymous(place.block) else { return try sendPages(place, pointer) }
            // Pages that were never touched are not read: that would provide them.
            try populated.forEachRun(of: place, at: pointer) { (run, pointer, isPopulated) throws(MigrationError) in
                if isPopulated { try sendPages(run, pointer) } else { try sendZeros(run) }
            }
        }
        try sendZeros(PageRun(block: run.block, pages: next..<run.pages.upperBound))
    }

    private func sendPages(_ run: PageRun, _ pointer: UnsafeRawPointer) throws(MigrationError) {
        try run.forEachShare(of: channel.index, among: channelCount) { (share) throws(MigrationError) in
            let offset = (share.pages.lowerBound - run.pages.lowerBound) << PageSize.size4K.shift
            try channel.append(share, from: pointer + Int(offset))
        }
    }

    private func sendZeros(_ run: PageRun) throws(MigrationError) {
        guard !run.pages.isEmpty else { return }
        try run.forEachShare(of: channel.index, among: channelCount) { (share) throws(MigrationError) in
            try channel.appendZeros(share)
        }
    }
}

extension PageRun {
    /// Calls `body` with what of it goes by one of several channels.
    func forEachShare<Failure: Error>(
        of channel: Int, among count: Int, _ body: (PageRun) throws(Failure) -> Void
    ) throws(Failure) {
        guard count > 1 else { return try body(self) }
        var first = pages.lowerBound
        while first < pages.upperBound {
            let number = first / PreCopy.share
            let end = min((number + 1) * PreCopy.share, pages.upperBound)
            if (number &+ UInt64(block)) % UInt64(count) == UInt64(channel) {
                try body(PageRun(block: block, pages: first..<end))
            }
            first = end
        }
    }
}
