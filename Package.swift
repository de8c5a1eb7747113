// swift-tools-version: 6.2
import PackageDescription

/// script/fuzz gives the path of libFuzzer's library here: every module of this package is then compiled so that it
/// counts which of its branches an input took. Dependencies are not: their branches would only distract the fuzzer.
let fuzzer = Context.environment["FSDNS_FUZZER"]
let counting: [SwiftSetting] = fuzzer == nil ? [] : [.unsafeFlags(["-sanitize=fuzzer"]), .define("FUZZER")]

/// Not MemberImportVisibility: several modules declare the members of libc's structs, and which of them a file must import
/// depends on what the compiler reads first, so that a clean build may fail where another succeeds.
let language: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
]
let settings = language + counting

/// The deciding half is compiled optimised even in a debug build: the simulation runs hundreds of seeds. So is the
/// stand-in FreeSWITCH: five of them with thousands of phones share one machine in the laboratory.
let deciding: [SwiftSetting] = settings + [.unsafeFlags(["-O"], .when(configuration: .debug))]

/// The readers of bytes and files are compiled optimised only where they are fuzzed, and what decides only where it is not: to
/// optimise it takes longer than to build all the rest, and few targets spend their time there.
let reading = fuzzer == nil ? settings : deciding
let ruling = fuzzer == nil ? deciding : settings

let package = Package(
    name: "fsdns",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "fsdns", targets: ["fsdns"]),
        .executable(name: "fsdns-keeper", targets: ["fsdns-keeper"]),
        .executable(name: "fsdns-switch", targets: ["fsdns-switch"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1.git", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // C libraries and kernel headers, each imported by exactly one target.
        .systemLibrary(name: "CLDNS", pkgConfig: "ldns", providers: [.apt(["libldns-dev"])]),
        .systemLibrary(
            name: "CLibXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
        .target(name: "CLinux"),

        // Deciding: values only, no clock, no socket, no Foundation.
        .target(name: "Primitives", swiftSettings: deciding),
        .target(name: "Calendar", dependencies: ["Primitives"], swiftSettings: deciding),
        .target(name: "Consensus", dependencies: ["Primitives"], swiftSettings: deciding),
        .target(name: "Replication", dependencies: ["Primitives"], swiftSettings: deciding),
        .target(
            name: "Limits", dependencies: ["Primitives", "Replication"], swiftSettings: deciding),
        .target(
            name: "Cluster", dependencies: ["Calendar", "Consensus", "Primitives"], swiftSettings: ruling),
        .target(name: "EventSocket", swiftSettings: deciding),
        .target(
            name: "Switch", dependencies: ["EventSocket", "Limits", "Primitives", "Replication", "XML"],
            swiftSettings: deciding),

        // Bytes and files.
        .target(
            name: "DNSMessages",
            dependencies: ["CLDNS", "Primitives", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: deciding),
        .target(
            name: "PeerProtocol",
            dependencies: [
                "Cluster", "Consensus", "Primitives", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: deciding),
        .target(
            name: "ControlProtocol",
            dependencies: ["Cluster", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: deciding),
        .target(name: "KeeperProtocol", dependencies: ["Primitives"], swiftSettings: reading),
        .target(name: "XML", dependencies: ["CLibXML2"], swiftSettings: reading),
        .target(
            name: "Config", dependencies: ["Calendar", "Cluster", "Primitives", "XML"], swiftSettings: reading
        ),

        // Pretending.
        .target(
            name: "Simulation",
            dependencies: ["Calendar", "Cluster", "Consensus", "PeerProtocol", "Primitives"],
            swiftSettings: deciding),

        .target(
            name: "SwitchSimulator",
            dependencies: [
                "EventSocket", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: deciding),
        .executableTarget(
            name: "fsdns-switch",
            dependencies: [
                "SwitchSimulator", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: settings),

        // Acting.
        .target(name: "Kernel", dependencies: ["Primitives"], swiftSettings: reading),
        .target(
            name: "Keeper", dependencies: ["CLinux", "Kernel", "KeeperProtocol", "Primitives"],
            swiftSettings: reading),
        .target(
            name: "ZoneServer",
            dependencies: [
                "DNSMessages", "Kernel", "Primitives", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], swiftSettings: reading),
        .target(
            name: "Daemon",
            dependencies: [
                "Calendar", "Cluster", "Config", "Consensus", "ControlProtocol", "DNSMessages",
                "EventSocket", "Keeper", "KeeperProtocol", "Kernel", "Limits", "PeerProtocol", "Primitives",
                "Replication", "Switch",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
            ], swiftSettings: settings),
        .executableTarget(
            name: "fsdns",
            dependencies: [
                "Calendar", "Cluster", "Config", "Consensus", "ControlProtocol", "Daemon", "DNSMessages",
                "EventSocket", "Keeper", "KeeperProtocol", "Kernel", "Primitives", "Simulation", "Switch",
                "XML", "ZoneServer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], swiftSettings: settings),
        .executableTarget(
            name: "fsdns-keeper", dependencies: ["Keeper"], swiftSettings: settings),

        .testTarget(
            name: "PrimitivesTests", dependencies: ["Primitives"], swiftSettings: settings),
        .testTarget(
            name: "CalendarTests", dependencies: ["Calendar", "Primitives"], swiftSettings: settings),
        .testTarget(
            name: "ConsensusTests", dependencies: ["Consensus", "Primitives"], exclude: ["Stories"],
            swiftSettings: settings),
        .testTarget(
            name: "ClusterTests",
            dependencies: ["Calendar", "Cluster", "Consensus", "Primitives", "TestSupport"],
            exclude: ["Fixtures"], swiftSettings: settings),
        .testTarget(
            name: "EventSocketTests", dependencies: ["EventSocket"], exclude: ["Fixtures"],
            swiftSettings: settings),
        .testTarget(
            name: "ReplicationTests", dependencies: ["Primitives", "Replication", "TestSupport"],
            exclude: ["Fixtures"], swiftSettings: settings),
        .testTarget(
            name: "LimitsTests", dependencies: ["Limits", "Primitives", "Replication", "TestSupport"],
            exclude: ["Fixtures"], swiftSettings: settings),
        .testTarget(
            name: "DNSMessagesTests", dependencies: ["DNSMessages", "Primitives", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "PeerProtocolTests",
            dependencies: [
                "Calendar", "Cluster", "Consensus", "ControlProtocol", "PeerProtocol", "Primitives",
                "TestSupport", .product(name: "Crypto", package: "swift-crypto"),
            ], exclude: ["Fixtures"], swiftSettings: settings),
        .testTarget(
            name: "SwitchTests",
            dependencies: ["EventSocket", "Limits", "Primitives", "Replication", "Switch"],
            exclude: ["Fixtures"], swiftSettings: settings),
        .testTarget(name: "XMLTests", dependencies: ["XML"], swiftSettings: settings),
        .testTarget(
            name: "ConfigTests", dependencies: ["Calendar", "Cluster", "Config", "Primitives", "XML"],
            swiftSettings: settings),
        .testTarget(
            name: "KeeperTests",
            dependencies: ["Keeper", "KeeperProtocol", "Primitives", "TestSupport", "fsdns-keeper"],
            exclude: ["Fixtures"], swiftSettings: settings),
        .testTarget(
            name: "ZoneServerTests",
            dependencies: [
                "DNSMessages", "Primitives", "ZoneServer",
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ], swiftSettings: settings),
        .testTarget(
            name: "SwitchSimulatorTests",
            dependencies: [
                "EventSocket", "SwitchSimulator", "fsdns-switch",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
            ], exclude: ["Fixtures", "Scenarios"], swiftSettings: settings),
        .testTarget(
            name: "SimulationTests", dependencies: ["Cluster", "Simulation"],
            exclude: ["Scenarios"], swiftSettings: settings),
        .testTarget(
            name: "DaemonTests",
            dependencies: [
                "Calendar", "Cluster", "Config", "Consensus", "ControlProtocol", "Daemon", "DNSMessages",
                "EventSocket", "Keeper", "Limits", "PeerProtocol", "Primitives", "Replication", "Switch",
                "Kernel", "SwitchSimulator", "TestSupport", "ZoneServer",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ], exclude: ["Certificates", "Console/Fixtures", "Console/ForeignClients", "Fixtures"],
            swiftSettings: settings),
        .testTarget(
            name: "FsdnsTests",
            dependencies: [
                "Calendar", "Cluster", "Config", "Consensus", "ControlProtocol", "DNSMessages", "Daemon",
                "EventSocket", "PeerProtocol", "Primitives", "TestSupport", "ZoneServer", "fsdns",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ], exclude: ["Fixtures"], swiftSettings: settings),

        // What several test targets use.
        .target(
            name: "TestSupport", dependencies: ["DNSMessages"], path: "Tests/Support",
            swiftSettings: settings),

        // Storms: sweeps that are too long for the tests, and what finds mutants.
        .executableTarget(
            name: "fsdns-storm", dependencies: ["Simulation"], path: "Tests/StormTool",
            swiftSettings: deciding),

        // The laboratory: network namespaces, real name servers, probes; tests and benchmarks stand on it.
        .systemLibrary(name: "CLab", path: "Tests/CLab"),
        .target(
            name: "Lab", dependencies: ["CLab", "EventSocket"], path: "Tests/Lab", swiftSettings: settings),
        .executableTarget(
            name: "fsdns-lab",
            dependencies: [
                "Cluster", "Consensus", "Daemon", "Lab", "PeerProtocol", "Primitives", "Replication",
            ],
            path: "Tests/LabTool", swiftSettings: settings),
        .testTarget(
            name: "LabTests",
            dependencies: ["Lab", "fsdns", "fsdns-keeper", "fsdns-lab", "fsdns-switch"],
            swiftSettings: settings),
    ]
)

// Fuzzing: a target for each reader of foreign bytes. Whoever fuzzes gets the program, everybody else the test that
// replays the corpus; both need what is internal to the modules, which a release build does not show.
let fuzzed: [Target.Dependency] = [
    "Calendar", "Cluster", "Config", "Consensus", "ControlProtocol", "DNSMessages", "EventSocket",
    "Keeper", "KeeperProtocol", "Limits", "PeerProtocol", "Primitives", "Replication", "Switch", "XML",
    "ZoneServer", .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "SwiftASN1", package: "swift-asn1"),
]
if let fuzzer {
    package.targets += [
        .systemLibrary(name: "CFuzzer", path: "Tests/FuzzTool/CFuzzer"),
        .executableTarget(
            name: "fsdns-fuzz", dependencies: fuzzed + ["CFuzzer"], path: "Tests/FuzzTool",
            exclude: ["CFuzzer", "Corpus", "Replay"], sources: ["Program", "Targets"],
            swiftSettings: language, linkerSettings: [.unsafeFlags([fuzzer, "-lstdc++"])]),
    ]
} else {
    package.targets.append(
        .testTarget(
            name: "CorpusTests", dependencies: fuzzed, path: "Tests/FuzzTool",
            exclude: ["CFuzzer", "Corpus", "Program"], sources: ["Replay", "Targets"],
            swiftSettings: settings))
}
