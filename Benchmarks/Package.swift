// swift-tools-version:6.1
import PackageDescription

func vmm(_ product: String) -> Target.Dependency { .product(name: product, package: "swift-vmm") }

// A package of its own, so that who builds the program builds no benchmarks.
let package = Package(
    name: "swift-vmm-benchmarks",
    dependencies: [
        .package(name: "swift-vmm", path: ".."), .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        .target(name: "BenchmarkSupport"),

        // What the monitor is compared with. `program.c` is a program of its own, which `Scripts/bench` links without
        // the Swift libraries that this package manager gives every executable.
        .target(name: "CBaseline", path: "Baseline", exclude: ["program.c"]),
        .target(name: "CAllocationCounter", path: "AllocationCounter"),
        .executableTarget(
            name: "VMMBench",
            dependencies: [
                "BenchmarkSupport", "CAllocationCounter", "CBaseline", "CMeasuring", vmm("VMAddressSpace"),
                vmm("VMBoot"),
                vmm("VMDevices"), vmm("VMDirtyTracking"), vmm("VMMachine"), vmm("VMMemory"), vmm("VMMigration"),
                vmm("VMRegions"), .product(name: "SystemPackage", package: "swift-system"),
            ]),

        // What the memory layer is compared with.
        .target(name: "CMemoryBaseline", dependencies: ["CMeasuring"], path: "MemoryBaseline"),
        .target(name: "CMeasuring", path: "Measuring"),
        .executableTarget(
            name: "MemoryBench",
            dependencies: [
                "BenchmarkSupport", "CMeasuring", "CMemoryBaseline", vmm("VMAddressSpace"), vmm("VMDirtyBitmap"),
                vmm("VMDirtyTracking"), vmm("VMMemory"), vmm("VMRegions"),
            ]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
