import SystemPackage
import Testing
import VMMachine
import VMRegions

@Suite struct MachineErrorTests {
    @Test("Less memory for the guest is advised where the host has no room for it, and only there")
    func adviceOnMemory() throws {
        let bitmap = MachineError.backing(
            .bitmap("ram", .noMemory(byteCount: 1 << 40, errno: .noMemory)))
        #expect(bitmap.description.contains("\"ram\""))
        #expect(bitmap.description.hasSuffix("give the guest less memory"))
        let name = String(repeating: "n", count: 300)
        let nameTooLong = try #require(throws: RegionBackingError.self) {
            try RegionBacking(memfd: name, byteCount: 0x1000)
        }
        for error in [nameTooLong, .misaligned("rom", byteCount: 5), .notShareable("rom")] {
            #expect(MachineError.backing(error).description == error.description)
        }
    }
}
