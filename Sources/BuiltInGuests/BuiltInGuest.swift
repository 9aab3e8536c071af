/// A test guest of `Guests/` that is part of the program, so that it runs from any folder.
public struct BuiltInGuest: Sendable {
    /// What `vmm run` calls it.
    public let name: String
    /// What it does, in a line.
    public let summary: String
    /// Its arguments, as usage text; empty where it takes none.
    public let usage: String
    /// Its image, two hexadecimal digits a byte: a literal can hold text only.
    private let digits: StaticString

    init(_ name: String, _ digits: StaticString, usage: String = "", _ summary: String) {
        self.name = name
        self.digits = digits
        self.usage = usage
        self.summary = summary
    }

    /// The image's content.
    public var bytes: [UInt8] {
        digits.withUTF8Buffer { digits in
            [UInt8](unsafeUninitializedCapacity: digits.count / 2) { bytes, count in
                count = digits.count / 2
                for index in 0..<count {
                    bytes[index] = Self.value(digits[2 * index]) << 4 | Self.value(digits[2 * index + 1])
                }
            }
        }
    }

    private static func value(_ digit: UInt8) -> UInt8 {
        digit <= UInt8(ascii: "9") ? digit &- UInt8(ascii: "0") : digit &- UInt8(ascii: "a") &+ 10
    }
}

extension BuiltInGuest {
    /// All of them, by name.
    public static let all: [BuiltInGuest] = [
        BuiltInGuest(
            "dirty", guestImageDirty,
            usage:
                "[--set SIZE] [--rate SIZE|max] [--pattern sequential|random|hot] [--passes N] [--base ADDRESS] [--report N] "
                + "[--cpus N] [--no-check]",
            "writes one word per page of a working set, and checks that no write was lost"),
        BuiltInGuest("echo", guestImageEcho, usage: "[poll]", "sends serial input back in upper case, until EOT"),
        BuiltInGuest("exit", guestImageExit, usage: "[N]", "exits through the debug port with N"),
        BuiltInGuest(
            "fault", guestImageFault, usage: "ud2|null|stack|wild-jump|div", "crashes in the way asked for"),
        BuiltInGuest("hello", guestImageHello, "says hello, in 64-bit mode"),
        BuiltInGuest("hello16", guestImageHello16, "says hello, as a boot sector in real mode"),
        BuiltInGuest("hello32", guestImageHello32, "says hello, in 32-bit mode"),
        BuiltInGuest("peek", guestImagePeek, "reads and writes memory as told over the serial port"),
        BuiltInGuest("smp", guestImageSmp, "starts every CPU, and each reports"),
        BuiltInGuest("spin", guestImageSpin, usage: "[user]", "loops forever"),
        BuiltInGuest("timer", guestImageTimer, usage: "[N]", "counts N ticks of the local APIC's timer"),
    ]

    /// The one of this name.
    public init?(named name: String) {
        guard let guest = Self.all.first(where: { $0.name == name }) else { return nil }
        self = guest
    }
}
