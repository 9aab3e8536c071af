import KVM
import TestSupport
import Testing

@Suite(.enabled(if: KVMHost.isUsable, Comment(rawValue: KVMHost.skipReason)))
struct StatisticsTests {
    /// Hosts with Linux before 5.14 have no statistics.
    @Test func `exits are counted, and what the kernel does not count is nil`() throws {
        // out 0x80, al; hlt
        let bare = try BareVM(code: [0xe6, 0x80, 0xe6, 0x80, 0xf4])
        guard bare.system.has(.binaryStatistics) else { return }
        let statistics = try bare.vcpu.makeStatistics()
        let before = statistics.value("exits")
        _ = try bare.vcpu.run()
        _ = try bare.vcpu.run()
        let after = statistics.value("exits")
        #expect(try #require(after) >= (try #require(before)) + 2)
        let unknown = [statistics.value("no such thing"), statistics.value("")]
        #expect(unknown == [nil, nil])
    }
}
