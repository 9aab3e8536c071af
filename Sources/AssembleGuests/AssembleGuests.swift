import Foundation
import PackagePlugin

/// Builds each guest of `Guests/` and turns its image into a Swift source file of the target.
@main
struct AssembleGuests: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let clang = try context.tool(named: "clang").url
        let guests = context.package.directoryURL.appending(path: "Guests")
        let common = try Self.files(in: guests.appending(path: "common"))
        return try Self.guestFolders(in: guests).map { folder in
            let name = folder.lastPathComponent
            let output = context.pluginWorkDirectoryURL.appending(path: "\(name).swift")
            return .buildCommand(
                displayName: "Assembling guest \(name)", executable: URL(filePath: "/bin/sh"),
                arguments: [
                    guests.appending(path: "assemble").path(percentEncoded: false),
                    clang.path(percentEncoded: false), guests.path(percentEncoded: false), name,
                    context.pluginWorkDirectoryURL.path(percentEncoded: false),
                ],
                inputFiles: [guests.appending(path: "assemble")] + common + (try Self.files(in: folder)),
                outputFiles: [output])
        }
    }

    /// Every folder but the one of what guests share.
    private static func guestFolders(in guests: URL) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: guests, includingPropertiesForKeys: [.isDirectoryKey])
            .filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
            .filter { $0.lastPathComponent != "common" }
            .sorted { $0.path < $1.path }
    }

    private static func files(in folder: URL) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .sorted { $0.path < $1.path }
    }
}
