import CTryCopy

/// The sizes of the scalar accessors, in bytes.
enum Width: Int, CaseIterable {
    case one = 1
    case two = 2
    case four = 4
    case eight = 8

    var mask: UInt64 { .max >> (64 - 8 * UInt64(rawValue)) }

    func load(_ source: UnsafeRawPointer) -> ctrycopy_result {
        switch self {
        case .one: ctrycopy_load_1(source)
        case .two: ctrycopy_load_2(source)
        case .four: ctrycopy_load_4(source)
        case .eight: ctrycopy_load_8(source)
        }
    }

    func store(_ destination: UnsafeMutableRawPointer, _ value: UInt64) -> ctrycopy_result {
        switch self {
        case .one: ctrycopy_store_1(destination, .init(truncatingIfNeeded: value))
        case .two: ctrycopy_store_2(destination, .init(truncatingIfNeeded: value))
        case .four: ctrycopy_store_4(destination, .init(truncatingIfNeeded: value))
        case .eight: ctrycopy_store_8(destination, value)
        }
    }

    func compareExchange(
        _ destination: UnsafeMutableRawPointer, expected: UInt64, desired: UInt64
    ) -> ctrycopy_result {
        switch self {
        case .one:
            ctrycopy_compare_exchange_1(
                destination, .init(truncatingIfNeeded: expected), .init(truncatingIfNeeded: desired))
        case .two:
            ctrycopy_compare_exchange_2(
                destination, .init(truncatingIfNeeded: expected), .init(truncatingIfNeeded: desired))
        case .four:
            ctrycopy_compare_exchange_4(
                destination, .init(truncatingIfNeeded: expected), .init(truncatingIfNeeded: desired))
        case .eight: ctrycopy_compare_exchange_8(destination, expected, desired)
        }
    }
}
