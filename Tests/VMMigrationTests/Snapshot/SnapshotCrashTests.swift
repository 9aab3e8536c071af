import Glibc
import Synchronization
import SystemPackage
import TestSupport
import Testing
import VMMigration
import VMState

/// Has calls fail by their number.
private final class Faults: Sendable {
    typealias Call = FileCalls.Call
    private let made = Mutex<[Call]>([])
    private let decide: @Sendable (Int, Call) -> Errno?

    init(_ decide: @escaping @Sendable (Int, Call) -> Errno?) { self.decide = decide }

    var calls: [Call] { made.withLock { $0 } }

    var layer: FileCalls {
        FileCalls { (call: Call) throws(Errno) in
            let number = self.made.withLock { made in
                made.append(call)
                return made.count - 1
            }
            if let errno = self.decide(number, call) { throw errno }
        }
    }
}

@Suite("Snapshots whose writing fails")
struct SnapshotCrashTests {
    /// How a snapshot comes to be.
    struct Way: Sendable, CustomTestStringConvertible {
        let replacing: Bool
        /// Whether the file system has files without names.
        let hasUnnamed: Bool
        let merges: Bool

        var testDescription: String {
            "\(merges ? "merged" : "written"), \(replacing ? "in place of another" : "new"), \(hasUnnamed ? "unnamed" : ".part")"
        }

        static let all = [false, true].flatMap { replacing in
            [false, true].flatMap { hasUnnamed in
                [false, true].map { Way(replacing: replacing, hasUnnamed: hasUnnamed, merges: $0) }
            }
        }
    }

    private struct Scene {
        let folder: TemporaryFolder
        let parent: SnapshotWriter.Parent
        let old: [UInt8]

        init(_ way: Way) throws {
            folder = try TemporaryFolder()
            var writer = try SnapshotWriter(path: folder.snapshotPath("parent"), blocks: Self.blocks)
            try writer.write(page(of: 1) + page(of: 2), block: 0, page: 0)
            parent = SnapshotWriter.Parent(
                id: try writer.commit(state: MachineState()), path: folder.snapshotPath("parent"))
            if way.replacing {
                try SnapshotWriter(path: folder.snapshotPath("new"), blocks: []).commit(state: MachineState())
                old = try folder.contents("new")
            } else {
                old = []
            }
        }

        static let blocks = [RAMBlock(name: "ram", pageCount: 8)]

        func run(_ way: Way, _ layer: FileCalls) throws {
            let path = folder.snapshotPath("new")
            if way.merges {
                _ = try Snapshot(path: parent.path).merge(into: path, replacing: way.replacing, calls: layer)
                return
            }
            var writer = try SnapshotWriter(
                path: path, blocks: Self.blocks, parent: parent, replacing: way.replacing, calls: layer)
            try writer.write(page(of: 3) + page(of: 0) + page(of: 4), block: 0, page: 0)
            try writer.writeZeros(PageRun(block: 0, pages: 2..<3))
            try writer.commit(state: MachineState())
        }

        /// Whether the new file is there, complete; otherwise the old one must be, as it was.
        func isNew(_ way: Way) throws -> Bool {
            guard access(folder.path("new"), F_OK) == 0 else {
                #expect(!way.replacing)
                return false
            }
            if way.replacing, try folder.contents("new") == old { return false }
            let snapshot = try Snapshot(path: folder.snapshotPath("new"))
            try snapshot.verify()
            let expected = way.merges ? page(of: 1) + page(of: 2) : page(of: 3) + page(of: 0)
            var found = [UInt8](repeating: 9, count: 8192)
            try found.withUnsafeMutableBytes { try snapshot.read(PageRun(block: 0, pages: 0..<2), into: $0) }
            #expect(found == expected)
            return true
        }
    }

    @Test(
        "Whichever call fails, the old file is there as it was or the new one is complete, and nothing else",
        arguments: Way.all)
    func failures(way: Way) throws {
        for errno in [Errno.ioError, .noSpace] {
            var number = 0
            while true {
                let scene = try Scene(way)
                let faults = Faults { [number] index, call in
                    if call == .makeUnnamed, !way.hasUnnamed { return .notSupported }
                    return index == number ? errno : nil
                }
                var failure: SnapshotError?
                do { try scene.run(way, faults.layer) } catch let error as SnapshotError { failure = error }
                let isNew = try scene.isNew(way)
                let last = faults.calls.count > number ? faults.calls[number] : nil
                guard let last else {
                    #expect(failure == nil && isNew)
                    break
                }
                // Nothing is left to do by the time the `.part` is removed, if it is.
                #expect(isNew == (failure == nil || failure?.operation == .synchronizeFolder), "\(last)")
                #expect(failure == nil || failure?.path == scene.folder.path("new"))
                let parts = try scene.folder.names.filter { $0.hasSuffix(".part") }
                #expect(parts.isEmpty, "\(last)")
                #expect(try scene.folder.names.count - parts.count == (isNew || way.replacing ? 2 : 1))
                if errno == .noSpace, let failure { #expect("\(failure)".contains("the disk is full")) }
                number += 1
            }
            #expect(number > 8)
        }
    }

    @Test(
        "If the process ends at any call, the old file is there as it was or the new one is complete",
        arguments: Way.all)
    func crashes(way: Way) throws {
        var number = 0
        while true {
            let scene = try Scene(way)
            let faults = Faults { [number] index, call in
                if call == .makeUnnamed, !way.hasUnnamed, index < number { return .notSupported }
                return index >= number ? .ioError : nil
            }
            var hasFailed = false
            do { try scene.run(way, faults.layer) } catch is SnapshotError { hasFailed = true }
            let isNew = try scene.isNew(way)
            let parts = try scene.folder.names.filter { $0.hasSuffix(".part") }
            // Without a name before it is complete, there can be one of the moment in which it replaces another.
            if way.hasUnnamed, !way.replacing { #expect(parts.isEmpty) }
            for part in parts where way.hasUnnamed {
                try Snapshot(path: scene.folder.snapshotPath(part)).verify()
            }
            guard hasFailed else {
                #expect(isNew && parts.isEmpty)
                break
            }
            number += 1
        }
        #expect(number > 8)
    }

    @Test("The header is written when all else is on the disk, and the name is given when the header is")
    func order() throws {
        let scene = try Scene(Way(replacing: true, hasUnnamed: true, merges: false))
        let faults = Faults { _, _ in nil }
        try scene.run(Way(replacing: true, hasUnnamed: true, merges: false), faults.layer)
        // The pages; a hole where one became zero; hashes and index; the header.
        #expect(
            faults.calls == [
                .makeUnnamed, .setLength, .write, .write, .punchHole, .write, .write, .synchronize, .write,
                .synchronize,
                .link, .rename, .openFolder, .synchronize,
            ])
    }

    @Test("Where the file system has no holes, pages that became zero are written as such")
    func withoutHoles() throws {
        let way = Way(replacing: false, hasUnnamed: true, merges: false)
        let scene = try Scene(way)
        try scene.run(way, Faults { _, call in call == .punchHole ? .notSupported : nil }.layer)
        #expect(try scene.isNew(way))
        #expect(try Snapshot(path: scene.folder.snapshotPath("new")).pageCounts == (1, 7))
    }

    @Test("After a failed write the snapshot cannot be completed")
    func poisoned() throws {
        let folder = try TemporaryFolder()
        let faults = Faults { index, call in index == 2 && call == .write ? .ioError : nil }
        var writer = try SnapshotWriter(
            path: folder.snapshotPath(), blocks: Scene.blocks, parent: nil, replacing: false, calls: faults.layer)
        var errors: [SnapshotError.Reason] = []
        for _ in 0..<2 {
            do throws(SnapshotError) {
                try writer.write(page(of: 1), block: 0, page: 0)
            } catch {
                errors.append(error.reason)
            }
        }
        do throws(SnapshotError) {
            try writer.commit(state: MachineState())
        } catch {
            errors.append(error.reason)
        }
        #expect(errors == [.system(.ioError), .incomplete(.ioError), .incomplete(.ioError)])
        #expect(try folder.names.isEmpty)
    }
}
