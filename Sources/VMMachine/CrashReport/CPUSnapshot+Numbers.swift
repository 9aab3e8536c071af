import CKVM

/// Registers by the numbers that instructions encode (Intel SDM volume 2, section 2.1.5 and table 3-1).
extension CPUSnapshot {
    static let stackRegister = 4
    static let frameRegister = 5

    func register(_ number: Int) -> UInt64 {
        let r = registers
        return switch number {
        case 0: r.rax
        case 1: r.rcx
        case 2: r.rdx
        case 3: r.rbx
        case 4: r.rsp
        case 5: r.rbp
        case 6: r.rsi
        case 7: r.rdi
        case 8: r.r8
        case 9: r.r9
        case 10: r.r10
        case 11: r.r11
        case 12: r.r12
        case 13: r.r13
        case 14: r.r14
        default: r.r15
        }
    }

    /// The lowest `size` bytes of a register. Without a REX prefix bytes 4...7 are AH, CH, DH and BH.
    func register(_ number: Int, size: Int, hasREX: Bool) -> UInt64 {
        if size == 1, !hasREX, (4...7).contains(number) { return register(number - 4) >> 8 & 0xff }
        return register(number) & Self.mask(size)
    }

    static func mask(_ bytes: Int) -> UInt64 {
        bytes >= 8 ? .max : (1 << (UInt64(max(bytes, 0)) * 8)) - 1
    }

    func registerName(_ number: Int) -> String {
        let names = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]
        guard number < names.count else { return "r\(number)" }
        return (mode == .long64 ? "r" : "e") + names[max(number, 0)]
    }

    enum SegmentName: String, Sendable {
        case es, cs, ss, ds, fs, gs

        init?(number: Int) {
            let all: [SegmentName] = [.es, .cs, .ss, .ds, .fs, .gs]
            guard all.indices.contains(number) else { return nil }
            self = all[number]
        }
    }

    func segment(_ name: SegmentName) -> kvm_segment {
        switch name {
        case .es: special.es
        case .cs: special.cs
        case .ss: special.ss
        case .ds: special.ds
        case .fs: special.fs
        case .gs: special.gs
        }
    }

    /// The linear address of an offset in a segment. In 64-bit mode only FS and GS have a base.
    func linear(_ name: SegmentName, _ offset: UInt64) -> UInt64 {
        guard mode == .long64 else { return (segment(name).base &+ offset) & 0xffff_ffff }
        return name == .fs || name == .gs ? segment(name).base &+ offset : offset
    }
}
