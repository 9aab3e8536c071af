import VMBoot

extension BootRequest {
    /// Opens the files that a configuration names.
    /// - Parameter image: what to boot instead of the file `configuration.guest`.
    init(_ configuration: MachineConfiguration, image: GuestImage?) throws(BootError) {
        let image = if let image { image } else { try GuestImage(path: configuration.guest) }
        var modules: [BootModule] = []
        for module in configuration.modules {
            modules.append(
                BootModule(image: try GuestImage(path: module.path), commandLine: module.commandLine ?? module.path))
        }
        self.init(
            image: image, format: configuration.format, loadAddress: configuration.loadAddress?.address,
            entry: configuration.entry?.address,
            commandLine: configuration.commandLine
                ?? configuration.arguments.reduce(into: image.name) { line, argument in line += " " + argument },
            modules: modules, memory: RAMLayout.ranges(size: configuration.memory.bytes),
            cpuCount: configuration.cpus)
    }
}
