import TestSupport
import Testing
import VMAddressSpace

@testable import VMMemory

@Suite("A registrar against a list of blocks")
struct MemoryRegistrarModelTests {
    private typealias Failure = MemoryRegistrar<RecordingTarget>.Failure

    /// Blocks of 512 KiB, four to a chunk: which are RAM, and which the target holds.
    private struct Model {
        static let block: UInt64 = 512 << 10
        static let blockCount = 64
        static let offset: UInt64 = 1 << 40

        var isRAM = [Bool](repeating: false, count: blockCount)

        static func range(_ blocks: Range<Int>) -> MemoryRange {
            ramRange(UInt64(blocks.lowerBound) * block, UInt64(blocks.count) * block)
        }

        static func blocks(_ range: MemoryRange, offset: UInt64 = 0) -> Range<Int> {
            let first = Int((range.start.rawValue - offset) / block)
            return first..<(first + Int(range.count / block))
        }

        /// The blocks of the chunks that `blocks` touch.
        static func chunks(of blocks: Range<Int>) -> Range<Int> {
            (blocks.lowerBound & ~3)..<((blocks.upperBound + 3) & ~3)
        }

        static func held(by target: RecordingTarget) -> [Bool] {
            var held = [Bool](repeating: false, count: blockCount)
            for range in target.held { for index in blocks(range, offset: offset) { held[index] = true } }
            return held
        }
    }

    @Test("Whatever is done in whatever order, the registrar and the target agree", arguments: 0..<40)
    func agree(_ seed: Int) throws {
        var numbers = SeededGenerator(seed: UInt64(seed))
        let canSplit = seed.isMultiple(of: 2)
        let target = RecordingTarget(canSplit: canSplit)
        let registrar = try MemoryRegistrar(
            target: target, chunkSize: 4 * Model.block, addressSpaceBits: 36, registrationOffset: Model.offset)
        var model = Model()
        for step in 0..<400 {
            let first = Int.random(in: 0..<Model.blockCount, using: &numbers)
            let blocks = first..<min(first + Int.random(in: 1...10, using: &numbers), Model.blockCount)
            let refused = Int.random(in: 0..<4, using: &numbers)
            let base = step * 1000 + seed
            let salt = UInt64(base)
            target.refuse { event in
                refused == 0 && (event.range.start.rawValue / Model.block &* 0x9e37_79b9 &+ salt).isMultiple(of: 3)
            }
            switch Int.random(in: 0..<8, using: &numbers) {
            case 0...3: expose(blocks, model, registrar, target, &numbers)
            case 4: unregister(blocks, model, registrar, target)
            case 5...6: add(blocks, &model, registrar)
            default: remove(blocks, &model, registrar, target)
            }
            check(model, registrar, target)
        }
        #expect(target.violations.isEmpty)
    }

    private func check(_ model: Model, _ registrar: MemoryRegistrar<RecordingTarget>, _ target: RecordingTarget) {
        let held = Model.held(by: target)
        #expect(zip(held, model.isRAM).allSatisfy { !$0 || $1 })
        #expect(registrar.registeredRanges.map { ramRange($0.start.rawValue + Model.offset, $0.count) } == target.held)
        #expect(registrar.ram.reduce(0) { $0 + $1.count } == UInt64(model.isRAM.filter { $0 }.count) * Model.block)
        for chunk in stride(from: 0, to: Model.blockCount, by: 4) {
            let isMissing = registrar.incomplete.contains(UInt64(chunk / 4))
            #expect(isMissing == (chunk..<(chunk + 4)).contains { model.isRAM[$0] && !held[$0] })
        }
        #expect(registrar.summary.activeThreadCount == 0)
    }

    private func expose(
        _ blocks: Range<Int>, _ model: Model, _ registrar: MemoryRegistrar<RecordingTarget>, _ target: RecordingTarget,
        _ numbers: inout SeededGenerator
    ) {
        // Its bytes begin and end anywhere in the first and the last block.
        let start = UInt64(blocks.lowerBound) * Model.block + UInt64.random(in: 0..<Model.block, using: &numbers)
        let last = UInt64(blocks.upperBound) * Model.block - 1
        var expected = Model.held(by: target)
        do throws(Failure) {
            try registrar.expose(GuestAddress(start), count: max(last, start) - start + 1)
            for index in Model.chunks(of: blocks) where model.isRAM[index] { expected[index] = true }
        } catch .registrationFailed(let fault, let notUndone) {
            let failed = Model.blocks(fault.range).lowerBound & ~3
            for index in Model.chunks(of: blocks) where index < failed && model.isRAM[index] { expected[index] = true }
            for kept in notUndone { for index in Model.blocks(kept.range) { expected[index] = true } }
        } catch {
            Issue.record("\(error)")
        }
        #expect(Model.held(by: target) == expected)
    }

    private func unregister(
        _ blocks: Range<Int>, _ model: Model, _ registrar: MemoryRegistrar<RecordingTarget>, _ target: RecordingTarget
    ) {
        let before = registrar.registeredRanges
        var expected = Model.held(by: target)
        do throws(Failure) {
            try registrar.unregister(Model.range(blocks))
            for index in blocks { expected[index] = false }
        } catch .unregistrationFailed(let fault) {
            for index in blocks where index < Model.blocks(fault.range).lowerBound { expected[index] = false }
        } catch {
            #expect(error == splitError(Model.range(blocks), before, target))
        }
        #expect(Model.held(by: target) == expected)
    }

    private func add(_ blocks: Range<Int>, _ model: inout Model, _ registrar: MemoryRegistrar<RecordingTarget>) {
        let isFree = blocks.allSatisfy { !model.isRAM[$0] }
        do throws(Failure) {
            try registrar.addRAM(Model.range(blocks))
            #expect(isFree)
            for index in blocks { model.isRAM[index] = true }
        } catch {
            #expect(!isFree)
        }
    }

    private func remove(
        _ blocks: Range<Int>, _ model: inout Model, _ registrar: MemoryRegistrar<RecordingTarget>,
        _ target: RecordingTarget
    ) {
        let before = registrar.registeredRanges
        let isAllRAM = blocks.allSatisfy { model.isRAM[$0] }
        var expected = Model.held(by: target)
        do throws(Failure) {
            try registrar.removeRAM(Model.range(blocks))
            #expect(isAllRAM)
            for index in blocks {
                model.isRAM[index] = false
                expected[index] = false
            }
        } catch .unregistrationFailed(let fault) {
            for index in blocks where index < Model.blocks(fault.range).lowerBound { expected[index] = false }
        } catch .notRAM {
            #expect(!isAllRAM)
        } catch {
            #expect(error == splitError(Model.range(blocks), before, target))
        }
        #expect(Model.held(by: target) == expected)
    }

    private func splitError(_ range: MemoryRange, _ registered: [MemoryRange], _ target: RecordingTarget) -> Failure? {
        guard !target.canSplit else { return nil }
        return registered.first { $0.overlaps(range) && !range.contains($0) }.map { .wouldSplit(range, registered: $0) }
    }
}
