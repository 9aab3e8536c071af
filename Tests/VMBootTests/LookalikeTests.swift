import Testing
import VMBoot

/// Images that look like something this monitor boots, and are not.
@Suite struct LookalikeTests {
    private func refusal(_ bytes: [UInt8]) -> String? {
        do {
            _ = try BootPlan(BootRequest(bytes))
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func `a Linux kernel is not taken for a boot sector`() {
        var bytes = [UInt8](repeating: 0, count: 4096)
        bytes.replaceSubrange(510..<512, with: [0x55, 0xaa])
        bytes.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
        #expect(refusal(bytes)?.contains("bzImage") == true)
    }

    @Test func `a disk image is not run as one large boot sector`() {
        var bytes = [UInt8](repeating: 0, count: 2 << 20)
        bytes.replaceSubrange(510..<512, with: [0x55, 0xaa])
        #expect(refusal(bytes)?.contains("disk image") == true)
    }

    @Test func `an ELF with a header of Multiboot 2 only is refused, unless it is to run from its entry`() throws {
        var builder = ELFBuilder()
        let words: [UInt32] = [0xe852_50d6, 0, 16, 0 &- 0xe852_50d6 &- 16]
        let header = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
        builder.segments[0].bytes = header + [UInt8](repeating: 0x90, count: 64)
        var bytes = builder.bytes()
        // The search goes by 8 bytes from the file's start.
        if bytes.firstRange(of: header).map({ $0.lowerBound % 8 }) != 0 {
            builder.segments[0].bytes = [0x90, 0x90, 0x90, 0x90] + header
            bytes = builder.bytes()
        }
        #expect(refusal(bytes)?.contains("Multiboot 2") == true)
        _ = try BootPlan(BootRequest(bytes, as: .elf64))
    }
}
