import VMMachine

/// A machine's configuration as a JSON file.
enum ConfigurationFile {
    static func read(_ path: String) throws(Failure) -> MachineConfiguration {
        let file = JSONFile(path: path, label: "--config: \(path)", kind: "configuration", badStatus: .usage)
        return try file.read(MachineConfiguration.self, largestMebibytes: 1)
    }

    static func text(_ configuration: MachineConfiguration) throws(Failure) -> String {
        try JSONText.make(configuration)
    }
}
