import SystemPackage
import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("Errors about host memory")
struct HostMemoryErrorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let error: HostMemoryError
        let text: String

        var testDescription: String { "\(error.operation)" }
    }

    private static let extent = HostMemoryError.Extent(offset: 0x2000, count: 0x1000)

    private static let cases: [Case] = [
        Case(
            error: HostMemoryError(.map, extent, file: "ram.img", .fileTooShort(length: 0x1800)),
            text: """
                cannot map 0x1000 bytes at offset 0x2000 of 'ram.img': the file is only 0x1800 bytes long; \
                lengthen the file (truncate -s) or map less of it
                """),
        Case(
            error: HostMemoryError(.map, extent, file: "memfd:ram", .tooFewHugePages(.size2M)),
            text: """
                cannot map 0x1000 bytes at offset 0x2000 of 'memfd:ram': the host has too few free huge pages of \
                2 MiB; reserve some (sysctl vm.nr_hugepages, or \
                /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages)
                """),
        Case(
            error: HostMemoryError(.unmap, extent, .locked(0x2000..<0x3000)),
            text: """
                cannot unmap 0x1000 bytes at offset 0x2000: [0x2000, 0x3000) is locked; \
                wait until the devices that use it are done
                """),
        Case(
            error: HostMemoryError(.move, extent, .system(.noMemory)),
            text: """
                cannot move 0x1000 bytes at offset 0x2000: Cannot allocate memory (ENOMEM); \
                the host is out of memory, or the process over a limit (ulimit -v, ulimit -d, vm.overcommit_memory)
                """),
        Case(
            error: HostMemoryError(.moveTo, extent, .alreadyMapped(0x2000..<0x3000)),
            text: """
                cannot move pages to 0x1000 bytes at offset 0x2000: [0x2000, 0x3000) is mapped already; \
                unmap it first
                """),
        Case(
            error: HostMemoryError(.map, extent, .alreadyMapped(0x2000..<0x3000)),
            text: """
                cannot map 0x1000 bytes at offset 0x2000: [0x2000, 0x3000) is mapped already; \
                unmap it first, or ask to replace it
                """),
        Case(
            error: HostMemoryError(.open, file: "/dev/null", .notAFile(.characterDevice)),
            text: "cannot open '/dev/null' as memory: it is a character device; give the path of a regular file"),
        Case(
            error: HostMemoryError(.open, file: "/root/ram", .system(.permissionDenied)),
            text: "cannot open '/root/ram' as memory: Permission denied (EACCES); check the permissions of the file"),
        Case(
            error: HostMemoryError(.preallocate, extent, file: "ram.img", .system(.noSpace)),
            text: """
                cannot preallocate 0x1000 bytes at offset 0x2000 of 'ram.img': No space left on device (ENOSPC); \
                free some space on its file system, or ask for less memory
                """),
        Case(
            error: HostMemoryError(
                .createMemfd, .init(offset: 0, count: 0x1000), file: "ram", .system(.tooManyOpenFiles)),
            text: """
                cannot make a memfd 'ram' of 0x1000 bytes: Too many open files (EMFILE); \
                raise the limit on open files (ulimit -n)
                """),
        Case(
            error: HostMemoryError(.reserve, .init(offset: 0, count: 1 << 47), .system(.noMemory)),
            text: """
                cannot reserve 0x800000000000 bytes of address space: Cannot allocate memory (ENOMEM); \
                ask for less, or raise the limit on address space (ulimit -v)
                """),
        Case(
            error: HostMemoryError(.protect, extent, .misaligned(.size4K)),
            text: """
                cannot change the protection of 0x1000 bytes at offset 0x2000: \
                offset and length must be multiples of the page size, 0x1000
                """),
    ]

    @Test("They say what failed, on what, why, and what to do", arguments: cases)
    func descriptions(_ expected: Case) {
        #expect(expected.error.description == expected.text)
    }
}
