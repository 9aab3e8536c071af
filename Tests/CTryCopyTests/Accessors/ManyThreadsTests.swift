import CTryCopy
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite("Many threads at once", .timeLimit(.minutes(10)))
struct ManyThreadsTests {
    init() throws { try #require(ctrycopy_install() == 0) }

    @Test("Every thread gets the fault of its own access")
    func ownFaults() throws {
        let pages = try Pages(17)
        pages.protect(1..<17, PROT_NONE)
        let base = SharedPointer(raw: pages.base)
        let mistakes = Atomic<Int>(0)
        try onThreads(8) { thread in
            var local = [UInt8](repeating: 0, count: 2 * pageSize)
            let page = base.raw + (1 + 2 * thread) * pageSize
            for round in 0..<1000 {
                let address = page + round % 2048
                let results = [
                    ctrycopy_load_1(address), ctrycopy_store_1(address, 1),
                    ctrycopy_copy_in(&local, address, 1 + round),
                    ctrycopy_copy_out(address, &local, 1 + round), ctrycopy_fill(address, 2, 1 + round),
                ]
                let areRight = results.allSatisfy { $0.fault == .protected(address) }
                let isGood = ctrycopy_load_1(base.raw + thread).found == 0
                if !areRight || !isGood { mistakes.wrappingAdd(1, ordering: .relaxed) }
            }
        }
        #expect(mistakes.load(ordering: .relaxed) == 0)
    }

    @Test("While a page comes and goes, each access either works or reports that page")
    func comingAndGoing() throws {
        let pages = try Pages(ofFile: 2)
        let base = SharedPointer(raw: pages.base)
        let isOver = Atomic<Bool>(false)
        let mistakes = Atomic<Int>(0)
        try onThreads(3) { thread in
            if thread == 0 {
                for round in 0..<2000 {
                    mprotect(
                        base.raw + pageSize, pageSize, round.isMultiple(of: 2) ? PROT_NONE : PROT_READ | PROT_WRITE)
                }
                isOver.store(true, ordering: .relaxed)
                return
            }
            var local = [UInt8](repeating: 0, count: pageSize)
            while !isOver.load(ordering: .relaxed) {
                for count in [1, 8, 40, 200, 2000] {
                    let start = base.raw + pageSize - count / 2
                    for result in [ctrycopy_copy_in(&local, start, count), ctrycopy_fill(start, 0, count)] {
                        guard let fault = result.fault else { continue }
                        // Any byte of it: the page can go when the access has come to its middle.
                        let offset = fault.address &- UInt(bitPattern: base.raw + pageSize)
                        let isRight = offset < pageSize && fault == .protected(base.raw + pageSize + Int(offset))
                        if !isRight { mistakes.wrappingAdd(1, ordering: .relaxed) }
                    }
                }
            }
        }
        #expect(mistakes.load(ordering: .relaxed) == 0)
    }
}
