// swift-tools-version:6.1
import PackageDescription

let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

// Arrows point from user to used and nothing points back up: `Sources/README.md` is the map.
let package = Package(
    name: "swift-vmm",
    products: [
        .executable(name: "vmm", targets: ["VMM"]),
        .library(name: "VMAddressSpace", targets: ["VMAddressSpace"]),
        .library(name: "VMMemory", targets: ["VMMemory"]),
        .library(name: "KVM", targets: ["KVM"]),
        .library(name: "VMBoot", targets: ["VMBoot"]),
        .library(name: "VMDevices", targets: ["VMDevices"]),
        .library(name: "VMMachine", targets: ["VMMachine"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        .systemLibrary(name: "CKVM"),
        .target(name: "VMAddressSpace"),
        .target(name: "VMMemory", dependencies: ["VMAddressSpace", system]),
        .target(name: "KVM", dependencies: ["CKVM", "VMAddressSpace", system]),
        .target(name: "VMBoot", dependencies: ["VMAddressSpace", "VMMemory", system]),
        .target(name: "VMDevices", dependencies: ["VMAddressSpace"]),
        .target(
            name: "VMMachine",
            dependencies: ["KVM", "VMAddressSpace", "VMBoot", "VMDevices", "VMMemory", system]),

        // The test guests of `Guests/`, assembled by a plugin and linked in as data.
        .plugin(name: "AssembleGuests", capability: .buildTool(), path: "Sources/AssembleGuests"),
        .target(name: "BuiltInGuests", plugins: ["AssembleGuests"]),

        .executableTarget(
            name: "VMM", dependencies: ["BuiltInGuests", "VMMachine", argumentParser, system]),
    ],
    swiftLanguageModes: [.v6]
)
