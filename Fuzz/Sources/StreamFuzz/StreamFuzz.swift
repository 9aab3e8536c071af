import CFuzzer
import Glibc
import VMMigration

/// Feeds the receiver of a stream with whatever a fuzzer comes upon:
///
///     StreamFuzz corpus FOLDER     writes streams as they are sent, for it to start from
///     StreamFuzz [OPTION…] FOLDER  is libFuzzer
@main
struct StreamFuzz {
    static func main() throws {
        if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "corpus" {
            try writeCorpus(into: CommandLine.arguments[2])
            return
        }
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(LLVMFuzzerRunDriver(&count, &arguments, runFuzzInput))
    }

    private static func writeCorpus(into folder: String) throws {
        let memory = SampleStream.memory()
        let streams: [(StreamState.Direction, [UInt8])] = [
            (.main, try SampleStream.main(memory)),
            (.main, try SampleStream.main(SampleStream.memory(), isPostCopy: true)),
            (.extra, try SampleStream.extra(memory)),
            (.mainReplies, try SampleStream.replies()),
            (.main, try SampleStream.abort()),
            (.main, try SampleStream.question()),
            (.mainReplies, try SampleStream.verdict()),
            // Without the bytes of pages, so that more of what is changed means something.
            (.main, try SampleStream.main(SampleMemory(SampleStream.blocks), isPostCopy: true, isWritten: false)),
            (.extra, try SampleStream.extra(SampleMemory(SampleStream.blocks))),
        ]
        for (index, (direction, stream)) in streams.enumerated() {
            for isReframed in [false, true] {
                let input = FuzzInput(direction: direction, isReframed: isReframed, stream: stream)
                let path = "\(folder)/\(index)-\(isReframed ? "reframed" : "as-sent")"
                guard let file = fopen(path, "w") else { throw UnwritableFile(path: path) }
                defer { fclose(file) }
                _ = input.bytes.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
            }
        }
    }
}

/// The name is what libFuzzer's own main program calls, which is linked in too.
@_cdecl("LLVMFuzzerTestOneInput")
public func runFuzzInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzInput(UnsafeRawBufferPointer(start: data, count: count))?.run()
    return 0
}

private struct UnwritableFile: Error {
    let path: String
}
