import Foundation
import Testing
import VMMachine

@Suite struct ConfigurationTests {
    private func decode(_ json: String) throws -> MachineConfiguration {
        try JSONDecoder().decode(MachineConfiguration.self, from: Data(json.utf8))
    }

    @Test func noKeyIsNeeded() throws {
        #expect(try decode("{}") == MachineConfiguration(guest: ""))
        #expect(try decode(#"{"guest": "hello"}"#) == MachineConfiguration(guest: "hello"))
    }

    @Test func everyKeyIsRead() throws {
        let configuration = try decode(
            #"""
            {"guest": "kernel.bin", "format": "flat64", "loadAddress": "0x200000", "entry": 2097168,
             "commandLine": "kernel -v", "arguments": ["a", "b"],
             "modules": [{"path": "initrd"}, {"path": "data", "commandLine": "d=1"}],
             "memory": "1G", "cpus": 4, "irqchip": "split", "pit": false, "timeout": "2m", "kvmDevice": "/dev/kvm2"}
            """#)
        let expected = MachineConfiguration(
            guest: "kernel.bin", format: .flat64, loadAddress: HexAddress("0x200000"), entry: HexAddress("0x200010"),
            commandLine: "kernel -v", arguments: ["a", "b"],
            modules: [.init(path: "initrd"), .init(path: "data", commandLine: "d=1")], memory: ByteSize(bytes: 1 << 30),
            cpus: 4, irqchip: .split, timeout: TimeLimit("2m"), kvmDevice: "/dev/kvm2")
        #expect(configuration == expected)
    }

    @Test func whatIsWrittenReadsBackTheSame() throws {
        let configuration = MachineConfiguration(
            guest: "g", format: .elf64, entry: HexAddress("0x1000"), arguments: ["x"], modules: [.init(path: "m")],
            memory: ByteSize(bytes: 4096 * 3), cpus: 2, irqchip: .full, pit: true, timeout: TimeLimit("1500ms"))
        let data = try JSONEncoder().encode(configuration)
        #expect(try JSONDecoder().decode(MachineConfiguration.self, from: data) == configuration)
    }

    @Test(arguments: [
        (#"{"guest": "g", "memroy": "1G"}"#, "memroy"), (#"{"guest": "g", "memory": "lots"}"#, "memory"),
        (#"{"guest": "g", "memory": []}"#, "memory"), (#"{"guest": "g", "cpus": "two"}"#, "cpus"),
        (#"{"guest": "g", "irqchip": "half"}"#, "irqchip"), (#"{"guest": "g", "timeout": "soon"}"#, "timeout"),
        (#"{"guest": "g", "modules": [{"file": "x"}]}"#, "file"), (#"{"guest": "g", "format": "coff"}"#, "format"),
        (#"{"guest": 1}"#, "guest"), (#"{"guest": "g", "pit": 1}"#, "pit"),
    ])
    func anErrorNamesTheKey(_ json: String, _ key: String) {
        #expect {
            try decode(json)
        } throws: { error in
            switch error as? DecodingError {
            case .keyNotFound(let missing, _): missing.stringValue == key
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
                context.codingPath.last?.stringValue == key
            default: false
            }
        }
    }
}
