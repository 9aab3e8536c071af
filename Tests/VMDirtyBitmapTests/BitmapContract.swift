import Testing
import VMDirtyBitmap

/// What every implementation holds to, tried on a fresh bitmap.
struct BitmapContract<Subject: Bitmap> {
    let subject: Subject
    /// From its own offset 0, in bytes; a multiple of `pageSize`, at least 8 pages, where it tracks.
    let length: UInt64
    let pageSize: UInt64
    let tracks: Bool

    private func isClean(_ bitmap: some Bitmap, _ range: Range<UInt64>) -> Bool {
        stride(from: range.lowerBound, to: range.upperBound, by: 16).allSatisfy { !bitmap.isDirty(at: $0) }
    }

    /// Whether exactly the pages from `first` up to `end`, and all bytes of them, are dirty; none where nothing is kept.
    private func expect(
        dirty pages: Range<UInt64>, _ comment: Comment, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let dirty = pages.lowerBound * pageSize..<pages.upperBound * pageSize
        let wrong = stride(from: 0, to: length, by: 16).filter {
            subject.isDirty(at: $0) != (tracks && dirty.contains($0))
        }
        #expect(wrong.isEmpty, comment, sourceLocation: sourceLocation)
    }

    func check() {
        startsClean()
        ignoresNothing()
        ignoresOutOfRange()
        marksRangesAndShowsThemInSlices()
        marksThroughSlices()
        slicesBeyondTheEndAreEmpty()
        lendsItself()
        saturates()
    }

    private func startsClean() {
        expect(dirty: 0..<0, "it starts clean")
        #expect(subject.isTracking == tracks)
    }

    private func ignoresNothing() {
        for offset in [0, 1, pageSize, length - 1, length, .max] { subject.markDirty(offset: offset, count: 0) }
        expect(dirty: 0..<0, "marks of no bytes do nothing")
    }

    private func ignoresOutOfRange() {
        for offset in [length, length + 1, length * 2, .max - 1, .max] {
            for count in [1, pageSize, length, .max] { subject.markDirty(offset: offset, count: count) }
            #expect(!subject.isDirty(at: offset))
        }
        expect(dirty: 0..<0, "marks out of range do nothing")
    }

    private func marksRangesAndShowsThemInSlices() {
        let slice = subject.slice(at: 2 * pageSize)
        #expect(isClean(slice, 0..<pageSize))
        subject.markDirty(offset: 2 * pageSize, count: 1)
        expect(dirty: 2..<3, "one byte marks its page")
        subject.markDirty(offset: 3 * pageSize - 1, count: 2)
        expect(dirty: 2..<4, "two bytes across an edge mark both pages")
        #expect(slice.isDirty(at: 0) == tracks && slice.isDirty(at: 2 * pageSize - 1) == tracks)
        #expect(!slice.isDirty(at: 2 * pageSize))
    }

    private func marksThroughSlices() {
        let slice = subject.slice(at: pageSize)
        slice.markDirty(offset: 3 * pageSize, count: pageSize)
        expect(dirty: 2..<5, "a mark through a slice shows in what it is of")
        let inner: Subject.Slice = slice.slice(at: 2 * pageSize).slice(at: pageSize)
        #expect(inner.isDirty(at: 0) == tracks && !inner.isDirty(at: pageSize))
        inner.markDirty(offset: pageSize, count: 1)
        expect(dirty: 2..<6, "and one through a slice of a slice of it")
        #expect(slice.isDirty(at: 4 * pageSize) == tracks)
    }

    private func slicesBeyondTheEndAreEmpty() {
        let far = subject.slice(at: .max).slice(at: .max)
        for slice in [subject.slice(at: length), subject.slice(at: .max), subject.slice(at: 1).slice(at: .max), far] {
            for offset in [0, 1, pageSize, .max] {
                slice.markDirty(offset: offset, count: .max)
                #expect(!slice.isDirty(at: offset))
            }
        }
        expect(dirty: 2..<6, "an empty slice marks nothing")
    }

    private func lendsItself() {
        guard let borrowed = subject.borrowedSlice else {
            #expect(!tracks)
            return
        }
        borrowed.markDirty(offset: 6 * pageSize, count: 1)
        expect(dirty: 2..<7, "a borrowed slice is over the same pages")
        #expect(borrowed.isDirty(at: 2 * pageSize) && !borrowed.isDirty(at: 0))
    }

    private func saturates() {
        subject.markDirty(offset: length - 1, count: .max)
        let last = length / pageSize - 1
        #expect(subject.isDirty(at: length - 1) == tracks && subject.isDirty(at: last * pageSize) == tracks)
        #expect(!subject.isDirty(at: 0), "a mark past 2^64 does not come round")
        subject.markDirty(offset: 0, count: .max)
        expect(dirty: 0..<(last + 1), "the longest mark marks everything")
    }
}
