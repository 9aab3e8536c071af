/// One entry of the GDT or LDT (Intel SDM volume 3, section 3.4.5).
struct SegmentDescriptor: Sendable {
    let raw: UInt64

    var isPresent: Bool { raw & 1 << 47 != 0 }
    var privilegeLevel: UInt8 { UInt8(raw >> 45 & 3) }
    var isSystem: Bool { raw & 1 << 44 == 0 }
    var type: UInt8 { UInt8(raw >> 40 & 0xf) }
    var isCode: Bool { !isSystem && type & 8 != 0 }
    var isConforming: Bool { isCode && type & 4 != 0 }
    var isReadable: Bool { !isSystem && (type & 8 == 0 || type & 2 != 0) }
    var isWritableData: Bool { !isSystem && type & 8 == 0 && type & 2 != 0 }
    var isLong: Bool { raw & 1 << 53 != 0 }
    var isDefault32: Bool { raw & 1 << 54 != 0 }
    var base: UInt64 { raw >> 16 & 0xff_ffff | (raw >> 56) << 24 }

    var kind: String {
        if isSystem { return "a system descriptor of type \(type)" }
        return isCode ? "a code segment" : isWritableData ? "a data segment" : "a read-only data segment"
    }
}

/// The GDT and LDT, asked for the descriptor of a selector.
struct SegmentTables {
    let view: GuestView

    enum Lookup {
        case found(SegmentDescriptor)
        case null
        /// Why there is no descriptor, as a clause of its own, and the exception that follows.
        case missing(String, vector: UInt8)
    }

    func descriptor(_ selector: UInt64) -> Lookup {
        let selector = selector & 0xffff
        guard selector & 0xfffc != 0 else { return .null }
        let isLocal = selector & 4 != 0
        let special = view.cpu.special
        let name = isLocal ? "LDT" : "GDT"
        let base = isLocal ? special.ldt.base : special.gdt.base
        let limit = isLocal ? UInt64(special.ldt.limit) : UInt64(special.gdt.limit)
        if isLocal, special.ldt.selector & 0xfffc == 0 {
            return .missing("no LDT is loaded for selector \(Hex.short(selector))", vector: 13)
        }
        guard selector | 7 <= limit else {
            return .missing(
                "the \(name) ends before selector \(Hex.short(selector)) (limit \(Hex.short(limit)))", vector: 13)
        }
        let address = view.cpu.wrapped(base &+ (selector & 0xfff8))
        if let objection = view.objection(to: .read, at: address, level: 0) {
            let entry = "the \(name)'s entry for selector \(Hex.short(selector)), at \(view.name(address)),"
            return .missing("\(entry) \(objection)", vector: 14)
        }
        guard let raw = view.word(at: address, size: 8) else {
            return .missing("the \(name)'s entry for selector \(Hex.short(selector)) cannot be read", vector: 14)
        }
        return .found(SegmentDescriptor(raw: raw))
    }
}
