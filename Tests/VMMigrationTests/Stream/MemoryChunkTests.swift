import CTryCopy
import Glibc
import TestSupport
import Testing
import VMMigration

@Suite("Memory frames")
struct MemoryChunkTests {
    /// The frames that pages come to, each as its runs and whether they are data.
    private func frames(
        _ blocks: [RAMBlock], into copy: SampleMemory? = nil,
        _ body: (inout MemoryChunkWriter, inout FrameWriter<ByteRecorder>) throws -> Void
    ) throws -> [[String]] {
        let sink = ByteRecorder()
        var writer = FrameWriter(sink)
        var chunks = MemoryChunkWriter()
        try body(&chunks, &writer)
        try chunks.flush(to: &writer)
        let (counts, byteCount) = (chunks.counts, writer.byteCount)
        #expect(counts.bytes == byteCount)

        var state = try StreamState(.extra).after([.hello])
        var reader = FrameReader(BytePlayer(sink.bytes))
        var frames: [[String]] = []
        var found = PageCounts(bytes: byteCount)
        while reader.byteCount < byteCount {
            let chunk = try MemoryChunk(try reader.next(&state), of: blocks)
            copy?.place(chunk)
            var runs: [String] = []
            chunk.forEachRun { run, bytes in
                let count = run.pages.upperBound - run.pages.lowerBound
                if bytes == nil { found.zero += count } else { found.data += count }
                runs.append("\(run.block):\(run.pages)\(bytes == nil ? "" : " data")")
            }
            frames.append(runs)
        }
        #expect(found == counts)
        return frames
    }

    @Test("Neighbours of a kind become one run, also of several calls")
    func merging() throws {
        let memory = SampleStream.memory()
        memory.fill(0, page: 2, with: 0x33)
        let copy = SampleMemory(memory.blocks)
        let frames = try frames(memory.blocks, into: copy) { chunks, writer in
            try chunks.append(memory, PageRun(block: 0, pages: 0..<2), to: &writer)
            try chunks.append(memory, PageRun(block: 0, pages: 2..<8), to: &writer)
            try chunks.append(memory, PageRun(block: 0, pages: 9..<12), to: &writer)
            try chunks.appendZeros(PageRun(block: 1, pages: 0..<1), to: &writer)
            try chunks.append(memory, PageRun(block: 1, pages: 1..<3), to: &writer)
        }
        #expect(frames == [["0:0..<1", "0:1..<3 data", "0:3..<8", "0:9..<12", "1:0..<2", "1:2..<3 data"]])
        #expect(copy.hasSamePages(as: memory) && copy.isGuardIntact)
    }

    @Test("Pages that do not ascend begin another frame")
    func notAscending() throws {
        let memory = SampleStream.memory()
        let frames = try frames(memory.blocks) { chunks, writer in
            for page: UInt64 in [4, 4, 3] {
                try chunks.append(memory, PageRun(block: 0, pages: page..<(page + 1)), to: &writer)
            }
            try chunks.append(memory, PageRun(block: 1, pages: 0..<1), to: &writer)
            try chunks.append(memory, PageRun(block: 0, pages: 5..<6), to: &writer)
        }
        #expect(frames == [["0:4..<5"], ["0:4..<5"], ["0:3..<4", "1:0..<1"], ["0:5..<6"]])
    }

    @Test("A frame has no more pages and runs than it may")
    func fullFrames() throws {
        let limit = UInt64(MemoryChunk.dataPageLimit)
        let memory = SampleMemory([RAMBlock(name: "ram", pageCount: 3 * limit)])
        for page in 0..<(2 * limit + 1) { memory.fill(0, page: page, with: UInt8(page % 255) + 1) }
        let copy = SampleMemory(memory.blocks)
        let data = try frames(memory.blocks, into: copy) { chunks, writer in
            try chunks.append(memory, PageRun(block: 0, pages: 0..<(3 * limit)), to: &writer)
        }
        // A full frame takes no page of which it is not known whether it is zero.
        #expect(data == [["0:0..<64 data"], ["0:64..<128 data"], ["0:128..<129 data", "0:129..<192"]])
        #expect(copy.hasSamePages(as: memory))

        let runs = try frames([RAMBlock(name: "ram", pageCount: 10_000)]) { chunks, writer in
            for page in 0..<UInt64(MemoryChunk.runLimit + 2) {
                try chunks.appendZeros(PageRun(block: 0, pages: (2 * page)..<(2 * page + 1)), to: &writer)
            }
        }
        #expect(runs.map(\.count) == [MemoryChunk.runLimit, 2])
    }

    @Test("Runs of more pages than a run can count are several")
    func longRuns() throws {
        let pageCount: UInt64 = 1 << 33 + 1
        let runs = try frames([RAMBlock(name: "ram", pageCount: pageCount)]) { chunks, writer in
            try chunks.appendZeros(PageRun(block: 0, pages: 0..<pageCount), to: &writer)
        }
        #expect(runs == [["0:0..<3221225472", "0:3221225472..<6442450944", "0:6442450944..<8589934593"]])
    }

    @Test("Nothing is sent where nothing was appended")
    func empty() throws {
        let frames = try frames(SampleStream.blocks) { chunks, writer in
            try chunks.appendZeros(PageRun(block: 0, pages: 3..<3), to: &writer)
            try chunks.flush(to: &writer)
        }
        #expect(frames.isEmpty)
    }

    @Test("A page is zero only if each of its bytes is")
    func zeroPages() throws {
        let memory = SampleMemory([RAMBlock(name: "ram", pageCount: 1)])
        for offset in 0..<4096 {
            memory.pages(of: 0)[offset] = 0x80
            let frames = try frames(memory.blocks) { chunks, writer in
                try chunks.append(memory, PageRun(block: 0, pages: 0..<1), to: &writer)
            }
            #expect(frames == [["0:0..<1 data"]], "byte \(offset)")
            memory.pages(of: 0)[offset] = 0
        }
    }

    @Test("Memory of many shapes arrives as it is")
    func random() throws {
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<40 {
            let memory = SampleMemory([RAMBlock(name: "a", pageCount: 150), RAMBlock(name: "b", pageCount: 1)])
            for page in 0..<UInt64(150) where Int.random(in: 0..<3, using: &generator) > 0 {
                memory.pages(of: 0)[Int(page) * 4096 + Int.random(in: 0..<4096, using: &generator)] = 1
            }
            let copy = SampleMemory(memory.blocks)
            _ = try frames(memory.blocks, into: copy) { chunks, writer in
                var page: UInt64 = 0
                while page < 150 {
                    let end = min(150, page + UInt64.random(in: 1...40, using: &generator))
                    try chunks.append(memory, PageRun(block: 0, pages: page..<end), to: &writer)
                    page = end
                }
                try chunks.append(memory, PageRun(block: 1, pages: 0..<1), to: &writer)
            }
            #expect(copy.hasSamePages(as: memory) && copy.isGuardIntact)
        }
    }

    @Test("A page that cannot be read is an error that names it")
    func unreadable() throws {
        #expect(ctrycopy_install() == 0)
        let mapping = try #require(mmap(nil, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        defer { munmap(mapping, 3 * 4096) }
        #expect(mprotect(mapping + 8192, 4096, PROT_NONE) == 0)
        var writer = FrameWriter(ByteRecorder())
        var chunks = MemoryChunkWriter()
        let error = try #require(throws: StreamFailure<LinkEnd>.self) {
            try chunks.append(PageRun(block: 1, pages: 7..<10), from: mapping, to: &writer)
        }
        #expect(error.stream?.reason == .memory(.unreadable(block: 1, page: 9, signal: SIGSEGV)))
    }

    @Test("A block whose number a run cannot have is an error", arguments: [-1, 65536])
    func blockNumbers(_ block: Int) throws {
        var writer = FrameWriter(ByteRecorder())
        var chunks = MemoryChunkWriter()
        let error = try #require(throws: StreamFailure<LinkEnd>.self) {
            try chunks.appendZeros(PageRun(block: block, pages: 0..<1), to: &writer)
        }
        #expect(error.stream?.reason == .memory(.noSuchBlock(block, blockCount: 65536)))
    }
}
