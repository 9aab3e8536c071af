import Testing
import VMAddressSpace

@Suite struct PartitioningIndexTests {
    @Test("It is where the second part begins, wherever that is", arguments: 0...9)
    func everySplit(_ count: Int) {
        let numbers = Array(0..<count)
        for split in 0...count {
            #expect(numbers.partitioningIndex { $0 >= split } == split)
        }
    }

    @Test("A slice has its own first index, and is searched no further than it reaches")
    func slice() {
        let numbers = Array(0..<20)[5..<12]
        #expect(numbers.partitioningIndex { $0 >= 8 } == 8)
        #expect(numbers.partitioningIndex { _ in true } == 5)
        #expect(numbers.partitioningIndex { _ in false } == 12)
    }

    @Test("It looks at no more elements than their number has binary digits")
    func steps() {
        for target in [0, 1, 511, 1023, 1024] {
            var looks = 0
            let index = (0..<1023).partitioningIndex { number in
                looks += 1
                return number >= target
            }
            #expect(index == min(target, 1023))
            #expect(looks <= 10)
        }
    }
}
