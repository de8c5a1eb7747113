import Cluster
import Foundation
import Testing

/// Every sentence that `fsdns status` can say is explained in docs/operations.md.
///
/// The sentences are read from the source: the texts of these functions, and of every `Blocker` and `ZoneTrouble` anywhere.
/// Who lets status say something new writes there what it means and what to do.
@Suite("The operator's guide") struct OperationsGuideTests {
    /// What contributes to status, by file and function.
    private static let sayings: [(file: String, functions: [String])] = [
        ("Cluster/Node/Node+Status.swift", ["warnings", "formingLine", "line", "dnsLine"]),
        ("Cluster/Operator/Node+Operator.swift", ["answerItself"]),
        ("Cluster/Membership/Node+Recovery.swift", ["majorityWarnings"]),
        ("Cluster/Identity/Node+Identity.swift", ["identityWarnings", "sameNameText"]),
        ("Cluster/Identity/Debts.swift", ["debtWarnings", "sentence"]),
        ("Cluster/Service/Node+ServiceStatus.swift", ["trouble", "serviceWarnings", "machineWarnings"]),
        ("Cluster/Service/Relief.swift", ["whyUnserved", "unreachedText"]),
        ("Cluster/Liveness/PathTrouble.swift", ["sentence"]),
        ("Cluster/Liveness/HearingMatrix.swift", ["whole", "parts"]),
        ("Cluster/Liveness/Node+Hearsay.swift", ["unreadinessTold", "hearsayWarnings"]),
        ("Cluster/Seats/Readiness.swift", ["unreadiness", "unfitText", "readiness"]),
        ("Cluster/Membership/Admission.swift", ["unheardText"]),
        ("Cluster/Agreement/ControlState+Apply.swift", ["unfitness"]),
        ("Cluster/Settings/Node+Configuration.swift", ["configurationWarnings", "text"]),
        ("Cluster/Zone/Node+ZoneTurns.swift", ["zoneWordText"]),
        ("Cluster/Zone/ZoneRefusal.swift", ["trouble", "grant", "careless", "otherView"]),
        ("Cluster/Zone/ZonePlan.swift", ["plan", "obstacle", "floorObstacle", "notices"]),
        ("Cluster/Zone/ZoneReconciler+Answers.swift", ["untakenText", "updated", "problem"]),
        ("Cluster/Zone/Node+ZoneReport.swift", ["serverProblem"]),
        ("Cluster/Zone/ZoneView.swift", ["zoneObstacle"]),
        (
            "Cluster/Drain/DrainObstacles.swift",
            [
                "drainObstacle", "memoryObstacle", "withdrawalObstacle", "refusalObstacle", "returnObstacle",
                "callObstacle",
            ]
        ),
        ("Cluster/Agreement/Node+Formats.swift", ["formatWarnings", "faultText", "tellUnknown"]),
        ("Cluster/Agreement/FormatPlan.swift", ["formatObstacles", "tooOld", "releaseRefusal"]),
        ("Config/FileKeeping.swift", ["findings", "folderFindings"]),
        ("Config/SecretStrength.swift", ["key", "password"]), ("DNSMessages/TSIGKey.swift", ["text"]),
        ("Daemon/Heartbeats/Heartbeats.swift", ["warnings"]),
        ("Daemon/Heartbeats/UnprovenWatch.swift", ["warnings"]),
        ("Daemon/Storage/Storage.swift", ["trouble"]), ("Daemon/Storage/StateFile.swift", ["obstacle"]),
        ("Daemon/Peers/LinkCertificates.swift", ["findings"]),
        ("Daemon/Peers/LinkCertificates+Strength.swift", ["checkStrength", "strayKeys"]),
        ("Daemon/Peers/CertificateFacts.swift", ["weakKey", "weakness", "unfitness"]),
        ("Daemon/Peers/LinkTrust.swift", ["warnings", "troubles"]),
        ("Daemon/Heartbeats/ClockWatch.swift", ["troubles"]),
        ("Daemon/Sharing/SharingCore+Switch.swift", ["askForPause", "askForShutdown"]),
        ("Daemon/Switch/ProfileService.swift", ["trouble"]),
        ("Daemon/Switch/MediaPorts.swift", ["description"]),
        ("Daemon/Switch/CoreDatabase.swift", ["problem"]),
    ]
    /// Functions whose sentences are among these.
    private static let contributors = [
        "PathTrouble.sentences", "serviceWarnings", "zone.told.filter", "zoneTurnWarnings",
        "configurationWarnings", "identityWarnings", "debtWarnings", "majorityWarnings",
        "hearsayWarnings", "formatWarnings",
    ]

    private static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    private static func source(_ path: String) throws -> SwiftSentences {
        SwiftSentences(try text("Sources/" + path))
    }

    /// The guide with its line ends and typography taken out.
    private static func guide() throws -> String {
        try text("docs/operations.md").replacing("`", with: "").split { $0.isWhitespace }.joined(
            separator: " ")
    }

    private static func undocumented(_ texts: [String], in guide: String) -> [String] {
        Set(texts.compactMap(SwiftSentences.mark)).filter { !guide.contains($0) }.sorted()
    }

    @Test("what each part of status can say is in the guide", arguments: sayings.map(\.file)) func parts(
        file: String
    ) throws {
        let source = try Self.source(file)
        let guide = try Self.guide()
        for function in try #require(Self.sayings.first { $0.file == file }).functions {
            let bodies = source.bodies(of: function)
            #expect(!bodies.isEmpty, "\(file) has no \(function) any more")
            #expect(Self.undocumented(bodies.flatMap(\.all), in: guide) == [], "\(file), \(function)")
        }
    }

    @Test(
        "every blocker and every trouble of the zone is in the guide, wherever it is said",
        arguments: ["Blocker", "ZoneTrouble"])
    func anywhere(type: String) throws {
        let guide = try Self.guide()
        var count = 0
        for module in ["Cluster", "Daemon"] {
            let folder = Self.root.appending(path: "Sources/\(module)")
            let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path())
            for path in paths.sorted() where path.hasSuffix(".swift") {
                let calls = try Self.source("\(module)/\(path)").calls(of: type)
                count += calls.count
                #expect(Self.undocumented(calls.flatMap(\.all), in: guide) == [], "\(path)")
            }
        }
        #expect(count >= 8, "they are found")
    }

    @Test("nothing contributes to the warnings of status that this suite does not look at")
    func contributors()
        throws
    {
        let warnings = try Self.source("Cluster/Node/Node+Status.swift").bodies(of: "warnings")
        let added = warnings.flatMap { $0.added(to: "warnings") }
        #expect(added.filter { !Self.contributors.contains($0) } == [])
        let loop = try Self.source("Daemon/Loop/NodeLoop.swift").bodies(of: "completed")
        #expect(
            Set(loop.flatMap { $0.added(to: "report.warnings") }) == [
                "heartbeats.warnings", "doers.links.trust.warnings", "doers.files.warnings", "ownSentences",
            ])
    }

    @Test("a text is recognised by its first words, over lines and interpolations") func reading() throws {
        let source = SwiftSentences(
            #"""
            func warn() -> [String] {
                // "not this one here"
                var warnings = ["\(name) \(isOne ? "has" : "have") no lease: " + "try \(list(["a, b"]))"]
                warnings += others(at: now)
                return warnings + [Blocker(.link, nil, "\(card) has no carrier")].map(\.text)
            }
            """#)
        let body = try #require(source.bodies(of: "warn").first)
        #expect(body.all.compactMap(SwiftSentences.mark) == ["has no carrier"])
        #expect(body.all.first == "\0 \0 no lease: try \0")
        #expect(body.added(to: "warnings") == ["others"])
        #expect(source.calls(of: "Blocker").flatMap(\.all) == ["\0 has no carrier"])
        #expect(
            SwiftSentences.mark(of: "\0 asks to join, but its heartbeats: see")
                == "asks to join, but its heartbeats")
        #expect(
            Self.undocumented(["\0 was eaten by the dog"], in: try Self.guide()) == ["was eaten by the dog"])
    }
}
