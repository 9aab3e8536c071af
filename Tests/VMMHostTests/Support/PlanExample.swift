import TestSupport

/// The example of `vmm plan` that comes with the program, and what the program prints of it.
enum PlanExample {
    static let path = folder + "/regions.json"

    static func expectedText() throws -> String {
        String(decoding: try TemporaryFolder.contents(ofFile: folder + "/regions.txt"), as: UTF8.self)
    }

    private static let folder =
        #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined() + "/Scripts/examples"
}
