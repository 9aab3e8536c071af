import Glibc
import Testing

@testable import VMMemory

private let page: UInt64 = 4096

/// The first map of a reservation lets its pages be used; later ones map others over them.
@Suite("First maps of sparse mappings")
struct SparseMappingFirstMapTests {
    private let sparse: SparseMapping

    init() throws {
        sparse = try SparseMapping(byteCount: 16 * page)
    }

    private func word(_ number: Int) -> UnsafeMutablePointer<UInt64> {
        (sparse.baseAddress + number * 4096).assumingMemoryBound(to: UInt64.self)
    }

    private func access() -> String {
        (0..<16).map {
            let address = sparse.baseAddress + $0 * 4096
            return Access.canWrite(address) ? "w" : Access.canRead(address) ? "r" : "-"
        }.joined()
    }

    @Test(
        "It has the protection asked for, and nothing around it changes",
        arguments: [
            (.none, "----------------"), (.readOnly, "--rrr-----------"), (.readWrite, "--www-----------"),
            ([.read, .execute], "--rrr-----------"),
        ] as [(MemoryProtection, String)])
    func protection(_ protection: MemoryProtection, _ expected: String) throws {
        try sparse.map(offset: 2 * page, count: 3 * page, .anonymous, protection: protection)
        #expect(access() == expected)
        #expect(sparse.pieces.map(\.range) == [2 * page..<5 * page])
        try sparse.protect(offset: 2 * page, count: 3 * page, .readWrite)
        #expect(access() == "--www-----------")
    }

    @Test("Its memory is like that of others: gone with it, moved with its contents, zero when it comes anew")
    func contents() throws {
        try sparse.map(offset: 2 * page, count: 3 * page, .anonymous)
        #expect(word(3).pointee == 0)
        for number in 2..<5 { word(number).pointee = UInt64(number) }
        try sparse.map(offset: 0, count: 2 * page, .anonymous)
        try sparse.map(offset: 5 * page, count: page, .anonymous)
        word(1).pointee = 1
        word(5).pointee = 5
        #expect(sparse.pieces.map(\.range) == [0..<6 * page])
        try sparse.move(offset: page, count: 5 * page, to: sparse, at: 8 * page)
        #expect((8..<13).map { word($0).pointee } == [1, 2, 3, 4, 5])
        #expect(access() == "w-------wwwww---")
        try sparse.map(offset: 2 * page, count: 3 * page, .anonymous)
        #expect((2..<5).map { word($0).pointee } == [0, 0, 0])
        try sparse.unmap(offset: 0, count: page)
        try sparse.unmap(offset: 2 * page, count: 3 * page)
        #expect(access() == "--------wwwww---")
    }

    @Test(
        "Where the host refuses it, nothing can be accessed, and it can be tried again",
        .disabled(if: ThreadSanitizer.isActive, "the sanitizer takes most addresses and mappings"))
    func refused() async {
        await #expect(processExitsWith: .success) {
            let test = try SparseMappingFirstMapTests()
            let filling = FilledMappings()
            let error = refusal { try test.sparse.map(offset: 2 * page, count: page, .anonymous) }
            _ = consume filling
            guard case .tooManyMappings? = error?.reason else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(test.access() == "----------------" && test.sparse.pieces.isEmpty)
            try test.sparse.map(offset: 2 * page, count: page, .anonymous)
            #expect(test.access() == "--w-------------" && test.word(2).pointee == 0)
        }
    }

    @Test("A reservation that something was to be moved to is used like any other")
    func afterMove() throws {
        let other = try SparseMapping(byteCount: 16 * page)
        try other.map(offset: 0, count: page, .anonymous)
        try other.move(offset: 0, count: page, to: sparse, at: 4 * page)
        word(4).pointee = 4
        try sparse.map(offset: 3 * page, count: page, .anonymous)
        #expect(access() == "---ww-----------" && word(3).pointee == 0 && word(4).pointee == 4)
    }
}
