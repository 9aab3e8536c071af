// swift-tools-version:6.1
import PackageDescription

func vmm(_ product: String) -> Target.Dependency { .product(name: product, package: "swift-vmm") }

// A package of its own, so that who builds the program builds no fuzzers. `Scripts/fuzz` adds the sanitizers, for the library
// as well.
let package = Package(
    name: "swift-vmm-fuzz",
    dependencies: [.package(name: "swift-vmm", path: "..")],
    targets: [
        .systemLibrary(name: "CFuzzer"),
        .executableTarget(name: "StreamFuzz", dependencies: ["CFuzzer", vmm("VMMigration"), vmm("VMState")]),
    ],
    swiftLanguageModes: [.v6]
)
