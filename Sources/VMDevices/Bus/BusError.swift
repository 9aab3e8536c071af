/// Why a bus could not be built from a list of attachments.
public enum BusError: Error, Equatable, Sendable {
    /// A device's range as errors report it: inclusive port numbers or guest-physical addresses.
    public struct Occupant: Equatable, Sendable, CustomStringConvertible {
        /// The name given to the attachment.
        public var name: String
        /// The first port or address.
        public var first: UInt64
        /// The last port or address, itself part of the range.
        public var last: UInt64

        /// Makes a record of who occupies `first` to `last` inclusive.
        public init(name: String, first: UInt64, last: UInt64) {
            self.name = name
            self.first = first
            self.last = last
        }

        /// The name and the inclusive range in hexadecimal.
        public var description: String {
            "\"\(name)\" at 0x\(String(first, radix: 16))-0x\(String(last, radix: 16))"
        }
    }

    /// The attachment covers nothing.
    case emptyRange(name: String, start: UInt64)
    /// The attachment reaches beyond the last port, or beyond the last address a half-open range can name.
    case rangeOverflow(name: String, start: UInt64, size: UInt64)
    /// Two attachments claim the same port or address; the one that starts lower comes first.
    case overlap(Occupant, Occupant)
}

extension BusError: CustomStringConvertible {
    /// What is wrong and what to do about it.
    public var description: String {
        switch self {
        case .emptyRange(let name, let start):
            "device \"\(name)\" at 0x\(String(start, radix: 16)) has an empty range: give it at least one byte"
        case .rangeOverflow(let name, let start, let size):
            "device \"\(name)\" at 0x\(String(start, radix: 16)) with size 0x\(String(size, radix: 16)) ends outside "
                + "the bus: move it lower or make it smaller"
        case .overlap(let lower, let upper):
            "devices \(lower) and \(upper) overlap: move one of them"
        }
    }
}
