import TestSupport
import Testing

@Test func x() throws {
    #expect(try VMMProgram.run(["run", "hello"]) == FinishedRun(0, "hello, world\n"))
}
