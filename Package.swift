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
        .library(name: "VMDirtyBitmap", targets: ["VMDirtyBitmap"]),
        .library(name: "VMMemory", targets: ["VMMemory"]),
        .library(name: "VMRegions", targets: ["VMRegions"]),
        .library(name: "KVM", targets: ["KVM"]),
        .library(name: "VMDirtyTracking", targets: ["VMDirtyTracking"]),
        .library(name: "VMBoot", targets: ["VMBoot"]),
        .library(name: "VMState", targets: ["VMState"]),
        .library(name: "VMDevices", targets: ["VMDevices"]),
        .library(name: "VMMachine", targets: ["VMMachine"]),
        .library(name: "VMMigration", targets: ["VMMigration"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        .systemLibrary(name: "CKVM"),
        .systemLibrary(name: "CBisect"),
        .systemLibrary(name: "CHostMemory"),
        .systemLibrary(name: "CXXHash"),
        .target(name: "CBitCount"),
        .target(name: "CChecksum"),
        .systemLibrary(name: "CTransport"),
        .systemLibrary(name: "CUserFault"),
        .target(name: "CThreads"),
        .target(name: "CTryCopy"),
        .target(name: "CURing", linkerSettings: [.linkedLibrary("uring")]),
        .target(name: "VMHost", dependencies: ["CThreads", system]),
        .target(name: "VMAddressSpace"),
        .target(name: "VMDirtyBitmap", dependencies: ["VMHost", system]),
        .target(
            name: "VMMemory",
            dependencies: [
                "CBisect", "CHostMemory", "CThreads", "CTryCopy", "VMAddressSpace", "VMDirtyBitmap", "VMHost", system,
            ]),
        .target(
            name: "VMRegions", dependencies: ["VMAddressSpace", "VMDirtyBitmap", "VMHost", "VMMemory", system]),
        .target(name: "KVM", dependencies: ["CKVM", "VMAddressSpace", "VMHost", system]),
        .target(
            name: "VMDirtyTracking",
            dependencies: ["CBitCount", "KVM", "VMAddressSpace", "VMDirtyBitmap", "VMHost", "VMMemory", "VMRegions"]),
        .target(name: "VMBoot", dependencies: ["VMAddressSpace", "VMMemory", system]),
        .target(name: "VMState"),
        .target(name: "VMDevices", dependencies: ["VMState"]),
        .target(
            name: "VMMachine",
            dependencies: [
                "CKVM", "KVM", "VMAddressSpace", "VMBoot", "VMDevices", "VMDirtyBitmap", "VMDirtyTracking", "VMHost",
                "VMMemory", "VMRegions", "VMState", system,
            ]),
        .target(
            name: "VMMigration",
            dependencies: [
                "CChecksum", "CHostMemory", "CTransport", "CTryCopy", "CURing", "CUserFault", "CXXHash",
                "VMAddressSpace", "VMDirtyBitmap", "VMDirtyTracking", "VMHost", "VMMachine", "VMMemory", "VMRegions",
                "VMState", system,
            ],
            exclude: ["Snapshot/FORMAT.md"]),

        // The test guests of `Guests/`, assembled by a plugin and linked in as data.
        .plugin(name: "AssembleGuests", capability: .buildTool(), path: "Sources/AssembleGuests"),
        .target(name: "BuiltInGuests", plugins: ["AssembleGuests"]),

        .executableTarget(
            name: "VMM",
            dependencies: [
                "BuiltInGuests", "KVM", "VMAddressSpace", "VMBoot", "VMDevices", "VMDirtyTracking", "VMHost",
                "VMMachine", "VMMigration", "VMRegions", "VMState", argumentParser, system,
            ]),

        .target(name: "TestSupport", dependencies: ["CThreads", "VMHost"], path: "Tests/Support"),

        // Tests that need no KVM.
        .testTarget(name: "VMAddressSpaceTests", dependencies: ["TestSupport", "VMAddressSpace"]),
        .testTarget(name: "CChecksumTests", dependencies: ["CChecksum", "CXXHash", "TestSupport"]),
        .testTarget(name: "CTryCopyTests", dependencies: ["CTryCopy", "TestSupport"]),
        .testTarget(name: "VMHostTests", dependencies: ["TestSupport", "VMHost", system]),
        .testTarget(name: "VMDirtyBitmapTests", dependencies: ["TestSupport", "VMDirtyBitmap", system]),
        .testTarget(
            name: "VMMemoryTests",
            dependencies: ["TestSupport", "VMAddressSpace", "VMDirtyBitmap", "VMHost", "VMMemory", system]),
        .testTarget(
            name: "VMRegionsTests",
            dependencies: ["TestSupport", "VMAddressSpace", "VMDirtyBitmap", "VMHost", "VMMemory", "VMRegions", system]),
        .testTarget(
            name: "VMDirtyTrackingTests",
            dependencies: ["TestSupport", "VMAddressSpace", "VMDirtyTracking", "VMMemory", "VMRegions"]),
        .testTarget(name: "KVMTests", dependencies: ["CKVM", "KVM", "TestSupport", "VMAddressSpace", system]),
        .testTarget(
            name: "VMBootTests", dependencies: ["VMAddressSpace", "VMBoot", "VMDirtyBitmap", "VMMemory", system]),
        .testTarget(name: "VMStateTests", dependencies: ["VMState"]),
        .testTarget(name: "VMDevicesTests", dependencies: ["TestSupport", "VMDevices", "VMState"]),
        .testTarget(
            name: "VMMachineTests",
            dependencies: [
                "CKVM", "KVM", "TestSupport", "VMAddressSpace", "VMBoot", "VMDevices", "VMDirtyTracking", "VMHost",
                "VMMachine", "VMMemory", "VMRegions", system,
            ]),
        .testTarget(
            name: "VMMigrationTests",
            dependencies: [
                "CTryCopy", "CXXHash", "TestSupport", "VMAddressSpace", "VMHost", "VMMigration", "VMRegions", "VMState",
                system,
            ]),
        .testTarget(
            name: "VMMTests",
            dependencies: ["TestSupport", "VMAddressSpace", "VMDirtyTracking", "VMM", "VMMachine", "VMMigration"]),

        // Tests that need a host with KVM; they say so and skip where there is none.
        .testTarget(
            name: "KVMHostTests", dependencies: ["CKVM", "KVM", "TestSupport", "VMAddressSpace", "VMMemory", system]),
        .testTarget(
            name: "VMMachineHostTests",
            dependencies: [
                "BuiltInGuests", "KVM", "TestSupport", "VMAddressSpace", "VMBoot", "VMDevices", "VMDirtyBitmap",
                "VMDirtyTracking", "VMMachine", "VMMemory", "VMRegions", "VMState",
            ]),
        .testTarget(
            name: "VMMigrationHostTests",
            dependencies: [
                "BuiltInGuests", "KVM", "TestSupport", "VMAddressSpace", "VMBoot", "VMDevices", "VMDirtyTracking",
                "VMHost", "VMMachine", "VMMemory", "VMMigration", "VMRegions", "VMState", system,
            ]),
        .testTarget(name: "VMMHostTests", dependencies: ["BuiltInGuests", "MigrationPeer", "TestSupport"]),
        // A side of a migration that stands still where a test says, to be killed there.
        .executableTarget(
            name: "MigrationPeer",
            dependencies: ["BuiltInGuests", "VMBoot", "VMDevices", "VMHost", "VMMachine", "VMMigration", "VMState"],
            path: "Tests/MigrationPeer"),
    ],
    swiftLanguageModes: [.v6]
)
