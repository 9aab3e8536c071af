/// What a test found wrong where it cannot say so itself: on a thread, or one access in a long run of them.
struct AccessFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
