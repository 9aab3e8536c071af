import VMAddressSpace

/// A segment register with its hidden part (Intel SDM volume 3A, sections 3.4.3 and 3.4.5).
public struct Segment: Hashable, Sendable {
    /// The visible part: an offset in the GDT, or paragraphs in real mode.
    public var selector: UInt16
    /// What kind of segment it is.
    public var attributes: Attributes
    /// The offset of the last byte, in bytes whatever the granularity.
    public var limit: UInt32
    /// The linear address of offset 0.
    public var base: UInt64

    /// The bits of a descriptor between its base and its limit: bits 40 to 47 of it as 0 to 7, and 52 to 55 as 12 to 15.
    public struct Attributes: OptionSet, Hashable, Sendable {
        public let rawValue: UInt16

        public init(rawValue: UInt16) {
            self.rawValue = rawValue
        }

        // Types of code and data with the accessed bit set, so that loading them never writes to the GDT.
        static let readWriteData = Attributes(rawValue: 0x3)
        static let readExecuteCode = Attributes(rawValue: 0xb)
        // Types of system segments.
        static let busyTaskState = Attributes(rawValue: 0xb)
        static let localDescriptorTable = Attributes(rawValue: 0x2)

        /// The S flag: code or data rather than a system segment.
        public static let codeOrData = Attributes(rawValue: 1 << 4)
        /// The P flag.
        public static let present = Attributes(rawValue: 1 << 7)
        /// The L flag: 64-bit code.
        public static let long = Attributes(rawValue: 1 << 13)
        /// The D/B flag: 32-bit operands, or a 32-bit stack.
        public static let default32Bit = Attributes(rawValue: 1 << 14)
        /// The G flag: the descriptor counts its limit in pages.
        public static let pageGranularity = Attributes(rawValue: 1 << 15)

        /// The four type bits.
        public var type: UInt8 { UInt8(rawValue & 0xf) }
        /// DPL, 0 to 3.
        public var privilegeLevel: UInt8 { UInt8(rawValue >> 5 & 3) }
    }
}

extension Segment {
    /// 16-bit code of real mode: 64 KiB from the selector in paragraphs.
    static func realCode(_ selector: UInt16) -> Segment {
        real(selector, [.readExecuteCode, .codeOrData, .present])
    }

    /// 16-bit data of real mode.
    static func realData(_ selector: UInt16) -> Segment {
        real(selector, [.readWriteData, .codeOrData, .present])
    }

    private static func real(_ selector: UInt16, _ attributes: Attributes) -> Segment {
        Segment(selector: selector, attributes: attributes, limit: 0xffff, base: UInt64(selector) << 4)
    }

    static let flatCode32 = Segment(
        selector: 0x08, attributes: [.readExecuteCode, .codeOrData, .present, .default32Bit, .pageGranularity],
        limit: .max, base: 0)

    static let flatCode64 = Segment(
        selector: 0x08, attributes: [.readExecuteCode, .codeOrData, .present, .long, .pageGranularity], limit: .max,
        base: 0)

    static let flatData = Segment(
        selector: 0x10, attributes: [.readWriteData, .codeOrData, .present, .default32Bit, .pageGranularity],
        limit: .max, base: 0)

    /// A busy task-state segment, the only kind that VM entry takes in every mode.
    static let taskState = Segment(selector: 0, attributes: [.busyTaskState, .present], limit: 0xffff, base: 0)

    static let localDescriptorTable = Segment(
        selector: 0, attributes: [.localDescriptorTable, .present], limit: 0xffff, base: 0)

    /// The same as an entry of the GDT.
    var descriptor: UInt64 {
        let limit = UInt64(attributes.contains(.pageGranularity) ? self.limit >> PageSize.size4K.shift : self.limit)
        let bits = UInt64(attributes.rawValue)
        return limit & 0xffff | (base & 0xff_ffff) << 16 | (bits & 0xff) << 40 | (limit >> 16 & 0xf) << 48
            | (bits >> 12) << 52 | (base >> 24 & 0xff) << 56
    }
}
