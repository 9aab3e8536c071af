import Testing

@testable import VMAddressSpace

struct MapFewTests {
    private struct Refusal: Error, Equatable {
        let element: Int
    }

    @Test(arguments: [[], [7], [7, 8], [7, 8, 9]])
    func itIsMap(_ elements: [Int]) {
        #expect(elements.mapFew { "\($0)" } == elements.map { "\($0)" })
        #expect(elements[...].dropFirst().mapFew { -$0 } == elements.dropFirst().map { -$0 })
    }

    @Test(arguments: [[9], [7, 9]])
    func whatTheClosureThrowsComesOut(_ elements: [Int]) {
        #expect(throws: Refusal(element: 9)) {
            try elements.mapFew { (element) throws(Refusal) in
                guard element != 9 else { throw Refusal(element: element) }
                return "\(element)"
            }
        }
    }
}
