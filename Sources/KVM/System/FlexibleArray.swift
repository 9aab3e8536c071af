/// The owner of one of the kernel's structures that end in an array of as many elements as a count in its
/// header says, such as `kvm_cpuid2` and `kvm_msrs`. Both types are C structures, with nothing to release.
struct FlexibleArray<Header, Element>: ~Copyable {
    let pointer: UnsafeMutablePointer<Header>
    private let storage: UnsafeMutableRawPointer
    private let capacity: Int

    /// Room for `capacity` elements after a copy of `header`, for a call that fills them and says in the header how many it
    /// has filled. For one that may leave the header as it was, give it elements.
    init(header: Header, capacity: Int) {
        // SAFETY: the elements follow the header at its size as they do in C (every header used is a multiple of
        // its elements' alignment), and the room is for all of them.
        let size = MemoryLayout<Header>.size
        storage = .allocate(byteCount: size + capacity * MemoryLayout<Element>.stride, alignment: 16)
        pointer = storage.initializeMemory(as: Header.self, to: header)
        (storage + size).bindMemory(to: Element.self, capacity: capacity)
        self.capacity = capacity
    }

    /// `elements` after a copy of `header`.
    init(header: Header, elements: [Element]) {
        // SAFETY: as above; the elements are copied.
        let size = MemoryLayout<Header>.size
        storage = .allocate(byteCount: size + elements.count * MemoryLayout<Element>.stride, alignment: 16)
        pointer = storage.initializeMemory(as: Header.self, to: header)
        capacity = elements.count
        elements.withUnsafeBufferPointer { elements in
            guard let first = elements.baseAddress else { return }
            (storage + size).initializeMemory(as: Element.self, from: first, count: elements.count)
        }
    }

    deinit {
        storage.deallocate()
    }

    private var array: UnsafeMutableBufferPointer<Element> {
        let start = (storage + MemoryLayout<Header>.size).assumingMemoryBound(to: Element.self)
        return UnsafeMutableBufferPointer(start: start, count: capacity)
    }

    /// The first `count` elements, or as many as there is room for. All of them have been filled.
    func elements(_ count: Int) -> [Element] {
        Array(array.prefix(count))
    }
}
