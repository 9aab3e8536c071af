import Glibc
import Testing
import VMHost

@Suite struct ThreadTimesTests {
    @Test func `the time of a thread that works goes on`() throws {
        let id = ThreadTimes.currentThreadID
        let before = try #require(ThreadTimes(ofThread: id))
        let deadline = MonotonicTime.now.advanced(by: .seconds(20))
        var after = before
        while after.user + after.system == before.user + before.system, .now < deadline {
            after = try #require(ThreadTimes(ofThread: id))
        }
        #expect(after.user + after.system > before.user + before.system)
        #expect(after.user >= before.user && after.system >= before.system)
    }

    @Test func `a thread that is not there has no times`() {
        #expect(ThreadTimes(ofThread: 0) == nil)
        #expect(ThreadTimes(ofThread: .max) == nil)
    }
}
