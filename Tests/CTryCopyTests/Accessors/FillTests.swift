import CTryCopy
import Glibc
import Testing

extension BulkTests {
    @Suite("Fills")
    struct Fills {
        init() throws { try #require(ctrycopy_install() == 0) }

        @Test("A fill sets every byte and no other, at every alignment", arguments: Vectors.allCases)
        func fills(_ vectors: Vectors) throws {
            vectors.choose()
            let pages = try Pages(3)
            let model = try Pages(3)
            for count in counts {
                for offset in 0..<(count < 300 ? 32 : 8) {
                    let byte = UInt8(truncatingIfNeeded: count &* 31 &+ offset | 1)
                    memset(pages.base, 0, pages.bytes.count)
                    memset(model.base, 0, pages.bytes.count)
                    memset(model.base + 64 + offset, Int32(byte), count)
                    #expect(ctrycopy_fill(pages.base + 64 + offset, byte, count).found == 0)
                    #expect(memcmp(pages.base, model.base, pages.bytes.count) == 0, "\(count) bytes")
                }
            }
        }

        @Test(
            "A fill that runs into a bad page reports its first byte and has set what lies well before it",
            arguments: Vectors.allCases)
        func crossing(_ vectors: Vectors) throws {
            vectors.choose()
            let pages = try Pages(5)
            pages.protect(2..<5, PROT_NONE)
            for count in counts {
                for before in 0..<min(count, 2 * pageSize) where before < 70 || before % 61 == 0 {
                    let start = pages.page(2) - before
                    let byte = UInt8(truncatingIfNeeded: count ^ before)
                    let result = ctrycopy_fill(start, byte, count)
                    #expect(result.fault == .protected(pages.page(2)), "\(count) bytes, \(before) of them good")
                    // The vector that met the bad page did nothing.
                    let isSet = (0..<max(0, before - 31)).allSatisfy {
                        start.load(fromByteOffset: $0, as: UInt8.self) == byte
                    }
                    #expect(isSet, "\(count) bytes, \(before) of them good")
                }
            }
        }

        @Test("A fill of no bytes touches nothing")
        func empty() throws {
            let hole = try #require(UnsafeMutableRawPointer(bitPattern: 0x10))
            #expect(ctrycopy_fill(hole, 1, 0).found == 0)
        }

        @Test("A fill of 1, 2, 4 or 8 bytes is written whole or not at all", arguments: Width.allCases)
        func wholeOrNothing(_ width: Width) throws {
            let pages = try Pages(2)
            pages.protect(1..<2, PROT_READ)
            for before in 0..<width.rawValue {
                let cell = pages.page(1) - before
                #expect(ctrycopy_fill(cell, 0xff, width.rawValue).fault == .protected(pages.page(1)))
                #expect(width.load(cell).found == 0)
            }
        }
    }
}
