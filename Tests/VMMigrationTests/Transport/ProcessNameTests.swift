import Glibc
import Testing

@testable import VMMigration

@Suite("Names of processes")
struct ProcessNameTests {
    @Test("A name is that of one process of this host alone")
    func names() throws {
        let parts = ProcessName.own.split(separator: "/").map(String.init)
        try #require(parts.count == 3)
        let (boot, namespace, number) = (parts[0], parts[1], parts[2])
        #expect(ProcessName.isName("\(boot)/\(namespace)/\(number)", of: getpid()))
        #expect(ProcessName.isName("\(boot)/\(namespace)/\(getppid())", of: getppid()))
        #expect(!ProcessName.isName(ProcessName.own, of: getppid()))
        // Of another host or an earlier boot, and of another container.
        #expect(!ProcessName.isName("\(boot.reversed())/\(namespace)/\(number)", of: getpid()))
        #expect(!ProcessName.isName("\(boot)/\(namespace)0/\(number)", of: getpid()))
        // Of none that this namespace has.
        #expect(!ProcessName.isName("\(boot)/\(namespace)/0", of: 0))
        for name in ["", "/", "//", "//\(number)", "\(boot)/\(namespace)", number] {
            #expect(!ProcessName.isName(name, of: getpid()), "\(name)")
        }
    }
}
