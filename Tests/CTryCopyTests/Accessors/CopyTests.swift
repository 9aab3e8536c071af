import CTryCopy
import Glibc
import TestSupport
import Testing

extension BulkTests {
    @Suite("Copies")
    struct Copies {
        init() throws { try #require(ctrycopy_install() == 0) }

        @Test("A copy moves every byte and no other, at every alignment", arguments: Vectors.allCases, Copying.allCases)
        func apart(_ vectors: Vectors, _ copying: Copying) throws {
            vectors.choose()
            let source = try Pages(3)
            let destination = try Pages(3)
            source.scramble()
            let margin = 64
            let untouched = [UInt8](repeating: 0xee, count: margin)
            for count in counts {
                for offset in 0..<(count < 300 ? 32 : 8) {
                    // Each of the two goes through all alignments against the other.
                    let from = source.base + margin + offset &* 7 % 32
                    let to = destination.base + margin + offset
                    memset(destination.base, 0xee, count + 3 * margin)
                    #expect(copying.copy(to: to, from: from, count).found == 0)
                    #expect(memcmp(to, from, count) == 0, "\(count) bytes")
                    #expect(memcmp(to - margin, untouched, margin) == 0, "below \(count) bytes")
                    #expect(memcmp(to + count, untouched, margin) == 0, "above \(count) bytes")
                }
            }
        }

        @Test(
            "Overlapping operands are copied as if through a third place",
            arguments: Vectors.allCases, Copying.allCases)
        func overlapping(_ vectors: Vectors, _ copying: Copying) throws {
            vectors.choose()
            let original = try Pages(5)
            let model = try Pages(5)
            let pages = try Pages(5)
            original.scramble()
            let from = 5000
            let distances = Array(0...70) + [95, 96, 97, 127, 128, 129, 255, 256, 1024, 4096]
            for count in counts where count % 3 != 1 || count > 300 {
                for distance in distances.flatMap({ [$0, -$0] }) where abs(distance) <= count {
                    memcpy(pages.base, original.base, pages.bytes.count)
                    memcpy(model.base, original.base, pages.bytes.count)
                    memmove(model.base + from + distance, model.base + from, count)
                    let result = copying.copy(to: pages.base + from + distance, from: pages.base + from, count)
                    #expect(result.found == 0)
                    #expect(memcmp(pages.base, model.base, pages.bytes.count) == 0, "\(count) bytes by \(distance)")
                }
            }
        }

        @Test("A copy of no bytes touches nothing", arguments: Copying.allCases)
        func empty(_ copying: Copying) throws {
            let hole = try #require(UnsafeMutableRawPointer(bitPattern: 0x10))
            #expect(copying.copy(to: hole, from: hole, 0).found == 0)
        }

        @Test("A copy of 1, 2, 4 or 8 bytes is written whole or not at all", arguments: Width.allCases)
        func wholeOrNothing(_ width: Width) throws {
            let pages = try Pages(2)
            pages.protect(1..<2, PROT_READ)
            for before in 0..<width.rawValue {
                var local = UInt64.max
                let cell = pages.page(1) - before
                #expect(ctrycopy_copy_out(cell, &local, width.rawValue).fault == .protected(pages.page(1)))
                #expect(width.load(cell).found == 0)
            }
        }

        @Test("Aligned copies of 2, 4 and 8 bytes never tear", arguments: [Width.two, .four, .eight])
        func untorn(_ width: Width) throws {
            let pages = try Pages(1)
            let cell = SharedPointer(raw: pages.base)
            try onThreads(2) { thread in
                var local: UInt64 = 0
                for round in 0..<2_000_000 {
                    if thread == 0 {
                        local = round.isMultiple(of: 2) ? 0 : .max
                        _ = ctrycopy_copy_out(cell.raw, &local, width.rawValue)
                    } else {
                        local = 0
                        _ = ctrycopy_copy_in(&local, cell.raw, width.rawValue)
                        if local != 0 && local != width.mask { Issue.record("torn: \(local)") }
                    }
                }
            }
        }
    }
}
