import Testing
import VMMachine

@testable import VMM

@Suite struct DemoGuestTests {
    private func guest(
        _ set: String, _ rate: String, memory: String? = nil, cpus: Int = 1,
        tracking: MachineConfiguration.DirtyTracking = .auto
    ) throws -> DemoGuest {
        try DemoGuest(
            set: ByteSize(set)!, rate: DemoGuest.Rate(rate)!, pattern: .hot, memory: memory.flatMap(ByteSize.init),
            cpus: cpus, tracking: tracking)
    }

    @Test func `a machine is made for what the guest is to do`() throws {
        let configuration = try guest("100M", "max", cpus: 2).configuration
        #expect(configuration.guest == "dirty" && configuration.cpus == 2)
        #expect(configuration.memory == ByteSize("164M"))
        #expect(
            configuration.arguments == ["--set", "100M", "--rate", "max", "--pattern", "hot", "--cpus", "2"])
        #expect(try guest("5000", "1M").configuration.memory.bytes.isMultiple(of: 4096))
    }

    @Test(
        arguments: [
            ("0", "1M", nil, 1, "--set"), ("4096T", "max", nil, 1, "--set"), ("64M", "1M", "64M", 1, "--set"),
            ("8K", "1M", nil, 3, "--cpus"), ("8K", "1M", nil, 0, "--cpus"), ("1T", "1", nil, 1, "--rate"),
        ] as [(String, String, String?, Int, String)]) func `what no guest can do is refused by its option`(
            _ set: String, _ rate: String, _ memory: String?, _ cpus: Int, _ option: String
        ) throws
    {
        let failure = #expect(throws: Failure.self) { try guest(set, rate, memory: memory, cpus: cpus) }
        #expect(failure?.status == .usage && failure?.message.hasPrefix("\(option): ") == true)
    }

    @Test func `a guest that is not tracked is refused`() {
        #expect(throws: Failure.self) { try guest("8M", "1M", tracking: .off) }
    }

    @Test(arguments: ["", "0", "-1M", "fast", "99999999T"]) func `rates that are none are refused`(_ text: String) {
        #expect(DemoGuest.Rate(text) == nil)
    }
}
