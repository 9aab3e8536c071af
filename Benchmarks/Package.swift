// swift-tools-version:6.1
import PackageDescription

// A package of its own, so that who builds the program builds no benchmarks.
let package = Package(
    name: "swift-vmm-benchmarks",
    dependencies: [.package(name: "swift-vmm", path: "..")],
    targets: [
        // What everything is compared with. `program.c` is a program of its own, which `Scripts/bench` links without
        // the Swift libraries that this package manager gives every executable.
        .target(name: "CBaseline", path: "Baseline", exclude: ["program.c"]),
        .target(name: "CAllocationCounter", path: "AllocationCounter"),
        .executableTarget(
            name: "VMMBench",
            dependencies: [
                "CAllocationCounter", "CBaseline",
                .product(name: "VMBoot", package: "swift-vmm"),
                .product(name: "VMDevices", package: "swift-vmm"),
                .product(name: "VMMachine", package: "swift-vmm"),
            ]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
