import CTryCopy
import Glibc
import Testing

extension BulkTests {
    @Suite("Faults of copies")
    struct CopyFaults {
        init() throws { try #require(ctrycopy_install() == 0) }

        @Test(
            "A copy that runs into a bad page reports the first byte of that page",
            arguments: Vectors.allCases, Copying.allCases)
        func crossing(_ vectors: Vectors, _ copying: Copying) throws {
            vectors.choose()
            let bad = try Pages(5)
            let good = try Pages(3)
            bad.protect(2..<5, PROT_NONE)
            let fault = Fault.protected(bad.page(2))
            for count in counts {
                for before in 0..<min(count, 2 * pageSize) where before < 70 || before % 61 == 0 {
                    let edge = bad.page(2) - before
                    if copying.guardsSource {
                        let result = copying.copy(to: good.base + before % 32, from: edge, count)
                        #expect(result.fault == fault, "\(count) bytes from \(before) below")
                    }
                    if copying.guardsDestination {
                        let result = copying.copy(to: edge, from: good.base + before % 32, count)
                        #expect(result.fault == fault, "\(count) bytes to \(before) below")
                    }
                }
            }
        }

        @Test(
            "A copy that starts on a bad page reports its own first byte, though its end is good",
            arguments: Vectors.allCases, Copying.allCases)
        func startingBad(_ vectors: Vectors, _ copying: Copying) throws {
            vectors.choose()
            let bad = try Pages(3)
            let good = try Pages(3)
            bad.protect(0..<1, PROT_NONE)
            for count in counts where count > 1 {
                let edge = bad.page(1) - (count + 1) / 2 % pageSize - 1
                if copying.guardsSource {
                    #expect(copying.copy(to: good.base, from: edge, count).fault == .protected(edge))
                }
                if copying.guardsDestination {
                    #expect(copying.copy(to: edge, from: good.base, count).fault == .protected(edge))
                }
            }
        }

        @Test(
            "A copy that was read in part before the fault has written nothing beyond its destination",
            arguments: Vectors.allCases)
        func boundsAfterFault(_ vectors: Vectors) throws {
            vectors.choose()
            let bad = try Pages(3)
            let good = try Pages(4)
            bad.protect(2..<3, PROT_NONE)
            for count in counts where count > 0 {
                memset(good.base, 0xee, good.bytes.count)
                #expect(ctrycopy_copy_in(good.page(1), bad.page(2) - count / 2, count).fault != nil)
                let outside = good.bytes[..<pageSize].allSatisfy { $0 == 0xee }
                #expect(outside && good.bytes[(pageSize + count)...].allSatisfy { $0 == 0xee })
            }
        }

        @Test("Read-only pages are copied from, and refuse to be copied to", arguments: Vectors.allCases)
        func readOnly(_ vectors: Vectors) throws {
            vectors.choose()
            let pages = try Pages(2)
            let local = try Pages(2)
            pages.scramble()
            pages.protect(0..<2, PROT_READ)
            for count in counts where count > 0 {
                #expect(ctrycopy_copy_in(local.base, pages.base, count).found == 0)
                #expect(memcmp(local.base, pages.base, count) == 0)
                #expect(ctrycopy_copy_out(pages.base, local.base, count).fault == .protected(pages.base))
                #expect(ctrycopy_fill(pages.base, 0, count).fault == .protected(pages.base))
            }
        }

        @Test("Behind a file that was cut, copies and fills report a bus error at the cut", arguments: Vectors.allCases)
        func truncated(_ vectors: Vectors) throws {
            vectors.choose()
            let pages = try Pages(ofFile: 4)
            let local = try Pages(4)
            pages.scramble()
            try pages.truncate(to: 1)
            let cut = pages.page(1)
            for count in counts where count > 0 {
                let start = cut - count / 3
                #expect(ctrycopy_copy_in(local.base, start, count).fault == .pastEndOfFile(cut))
                #expect(ctrycopy_copy_out(start, local.base, count).fault == .pastEndOfFile(cut))
                #expect(ctrycopy_fill(start, 1, count).fault == .pastEndOfFile(cut))
            }
            try pages.truncate(to: 4)
            #expect(ctrycopy_copy_in(local.base, cut, 2 * pageSize).found == 0)
        }

        @Test(
            "A copy onto part of itself reports a byte of its source that is bad", arguments: Vectors.allCases, [-3, 3])
        func overlapping(_ vectors: Vectors, _ distance: Int) throws {
            vectors.choose()
            let pages = try Pages(6)
            pages.protect(2..<4, PROT_NONE)
            for count in counts where count > 8 {
                let start = pages.page(2) - count / 2
                let fault = try #require(ctrycopy_copy_in(start + distance, start, count).fault)
                let bad = UInt(bitPattern: pages.page(2))..<UInt(bitPattern: start + count)
                #expect(bad.contains(fault.address))
                #expect(fault.signal == SIGSEGV && fault.code == Int32(SEGV_ACCERR))
            }
        }

        @Test("Addresses that are not canonical are faults too", arguments: Vectors.allCases, [1, 8, 40, 100, 1000])
        func notCanonical(_ vectors: Vectors, _ count: Int) throws {
            vectors.choose()
            let local = try Pages(1)
            let nobodys = try #require(UnsafeMutableRawPointer(bitPattern: 0x8000_0000_0000_0100 as UInt))
            let fault = Fault(nobodys, SIGSEGV, Int(SI_KERNEL))
            #expect(ctrycopy_copy_in(local.base, nobodys, count).fault == fault)
            #expect(ctrycopy_copy_out(nobodys, local.base, count).fault == fault)
            #expect(ctrycopy_fill(nobodys, 1, count).fault == fault)
        }
    }
}
