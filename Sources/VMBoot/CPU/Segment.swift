import VMAddressSpace

/// A segment register with its hidden part (Intel SDM volume 3A, sections 3.4.3 and 3.4.5).
public struct Segment: Hashable, Sendable {
    /// The visible part: an offset in the GDT, or paragraphs in real mode.
    public var selector: UInt16
    /// The linear address of offset 0.
    public var base: UInt64
    /// The offset of the last byte, in bytes whatever the granularity.
    public var limit: UInt32
    /// The four type bits.
    public var type: UInt8
    /// The S flag: code or data rather than a system segment.
    public var isCodeOrData: Bool
    /// DPL, 0 to 3.
    public var privilegeLevel: UInt8 = 0
    /// The P flag.
    public var isPresent = true
    /// The L flag: 64-bit code.
    public var isLong = false
    /// The D/B flag: 32-bit operands, or a 32-bit stack.
    public var is32Bit = false
    /// The G flag: the descriptor counts its limit in pages.
    public var hasPageGranularity = false
}

extension Segment {
    // Types with the accessed bit set, so that loading them never writes to the GDT.
    private static let readWriteData: UInt8 = 0x3
    private static let readExecuteCode: UInt8 = 0xb

    /// 16-bit code of real mode: 64 KiB from the selector in paragraphs.
    static func realCode(_ selector: UInt16) -> Segment {
        real(selector, readExecuteCode)
    }

    /// 16-bit data of real mode.
    static func realData(_ selector: UInt16) -> Segment {
        real(selector, readWriteData)
    }

    private static func real(_ selector: UInt16, _ type: UInt8) -> Segment {
        Segment(selector: selector, base: UInt64(selector) << 4, limit: 0xffff, type: type, isCodeOrData: true)
    }

    static let flatCode32 = Segment(
        selector: 0x08, base: 0, limit: .max, type: readExecuteCode, isCodeOrData: true, is32Bit: true,
        hasPageGranularity: true)

    static let flatCode64 = Segment(
        selector: 0x08, base: 0, limit: .max, type: readExecuteCode, isCodeOrData: true, isLong: true,
        hasPageGranularity: true)

    static let flatData = Segment(
        selector: 0x10, base: 0, limit: .max, type: readWriteData, isCodeOrData: true, is32Bit: true,
        hasPageGranularity: true)

    /// A busy task-state segment, the only kind that VM entry takes in every mode.
    static let taskState = Segment(selector: 0, base: 0, limit: 0xffff, type: 0xb, isCodeOrData: false)

    static let localDescriptorTable = Segment(selector: 0, base: 0, limit: 0xffff, type: 0x2, isCodeOrData: false)

    /// The same as an entry of the GDT.
    var descriptor: UInt64 {
        let limit = UInt64(hasPageGranularity ? self.limit >> PageSize.size4K.shift : self.limit)
        let access: UInt64 =
            UInt64(type & 0xf) | (isCodeOrData ? 1 << 4 : 0) | UInt64(privilegeLevel & 3) << 5
            | (isPresent ? 1 << 7 : 0)
        let flags: UInt64 = (isLong ? 1 << 1 : 0) | (is32Bit ? 1 << 2 : 0) | (hasPageGranularity ? 1 << 3 : 0)
        return limit & 0xffff | (base & 0xff_ffff) << 16 | access << 40 | (limit >> 16 & 0xf) << 48
            | flags << 52 | (base >> 24 & 0xff) << 56
    }
}
