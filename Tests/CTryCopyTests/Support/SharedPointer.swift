/// A pointer that threads of a test share.
struct SharedPointer: @unchecked Sendable {
    // SAFETY: the tests reach what it points to through the accessors alone, which are made for memory that others
    // write, and join their threads before the memory goes away.
    let raw: UnsafeMutableRawPointer
}
