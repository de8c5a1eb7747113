@preconcurrency import Glibc
import Testing

@testable import Config

/// A program of this machine that judges the files around the cluster file.
private struct Judge {
    var name: String

    private var path: String? {
        ["/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/"].map { $0 + name }.first { access($0, X_OK) == 0 }
    }

    /// Missing judges are skipped on a developer's machine, and a failure where everything must run.
    var isToBeAsked: Bool {
        path != nil || getenv("CI").map { String(cString: $0) } == "true"
    }

    func judge(_ arguments: String) throws -> (isGood: Bool, words: String) {
        let path = try #require(path, "\(name) is not installed")
        let stream = try #require(popen("\(path) \(arguments) 2>&1", "r"))
        var words: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&buffer, 1, buffer.count, stream), count > 0, words.count < 1 << 20 {
            words += buffer[..<count]
        }
        return (pclose(stream) == 0, String(decoding: words, as: UTF8.self))
    }
}

/// The files beside the cluster file, judged by the programs they are for.
@Suite struct CompanionTests {
    private static let zoneChecker = Judge(name: "named-checkzone")
    private static let bindChecker = Judge(name: "named-checkconf")
    private static let knotChecker = Judge(name: "knotc")
    private static let xmlChecker = Judge(name: "xmllint")
    private let scratch = Scratch()

    @Test("BIND loads the zone", .enabled(if: zoneChecker.isToBeAsked, "named-checkzone is not installed"))
    func zone() throws {
        let verdict = try Self.zoneChecker.judge("voip.example.net \(repository)/zones/voip.example.net.zone")
        #expect(verdict.isGood, "\(verdict.words)")
        #expect(verdict.words.contains("loaded serial 1"))
    }

    @Test("BIND takes the rules", .enabled(if: bindChecker.isToBeAsked, "named-checkconf is not installed"))
    func bind() throws {
        scratch.write("fsdns.key", "key \"fsdns.\" { algorithm hmac-sha256; secret \"c2VjcmV0\"; };\n")
        scratch.write("voip.example.net.zone", try textOfFile(repository + "/zones/voip.example.net.zone"))
        let snippet = try textOfFile(repository + "/config/bind/named.conf.snippet")
        let path = scratch.write(
            "named.conf",
            snippet.replacing("/etc/bind/", with: scratch.path + "/")
                .replacing("/var/lib/bind/", with: scratch.path + "/"))
        let verdict = try Self.bindChecker.judge("-z \(path)")
        #expect(verdict.isGood, "\(verdict.words)")
    }

    @Test("Knot takes the rules", .enabled(if: knotChecker.isToBeAsked, "knotc is not installed"))
    func knot() throws {
        scratch.write("fsdns.key", "key:\n  - id: fsdns\n    algorithm: hmac-sha256\n    secret: c2VjcmV0\n")
        let snippet = try textOfFile(repository + "/config/knot/knot.conf.snippet")
        let path = scratch.write("knot.conf", snippet.replacing("/etc/knot/", with: scratch.path + "/"))
        let verdict = try Self.knotChecker.judge("-c \(path) conf-check")
        #expect(verdict.isGood, "\(verdict.words)")
    }

    @Test(
        "the examples are valid for any user of the published schema",
        .enabled(if: xmlChecker.isToBeAsked, "xmllint is not installed"),
        arguments: ["cluster.xml", "two-node.xml", "loopback.xml"])
    func schema(example: String) throws {
        let folder = repository + "/config"
        let verdict = try Self.xmlChecker.judge(
            "--noout --nonet --relaxng \(folder)/cluster.rng \(folder)/\(example)")
        #expect(verdict.isGood, "\(verdict.words)")
    }

    /// Every name the five-node example makes fsdns write; the name servers must allow these and no others.
    @Test("the name servers allow exactly what the five-node example writes") func allowed() throws {
        let file = try ClusterFile.load(path: repository + "/config/cluster.xml")
        let dns = try #require(file.settings.dns)
        var wanted: [String] = []
        for service in dns.services {
            wanted += ["\(service).\(dns.zone). A AAAA", "_fsdns.\(service).\(dns.zone). TXT"]
        }
        wanted += file.settings.seats.map { "\($0.name).\(dns.zone). A AAAA" }
        wanted += dns.srv.map { "\($0.service).\(dns.zone). SRV" }
        let snippet = try textOfFile(repository + "/config/bind/named.conf.snippet")
        let granted = snippet.split(separator: "\n").compactMap { (line: Substring) -> String? in
            guard let start = line.firstRange(of: "grant fsdns. name ") else { return nil }
            return String(line.suffix(from: start.upperBound).dropLast())
        }
        #expect(granted.sorted() == wanted.sorted())
        let knot = try textOfFile(repository + "/config/knot/knot.conf.snippet")
        let list = try #require(knot.firstRange(of: "update-owner-name: ["))
        let names = knot.suffix(from: list.upperBound).prefix(while: { $0 != "]" })
        let owners = names.split(separator: ",").map { "\($0.drop(while: { $0 == " " })).\(dns.zone)." }
        #expect(owners.sorted() == wanted.map { String($0.prefix { $0 != " " }) }.sorted())
    }
}
