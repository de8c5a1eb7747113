import Cluster
import Config
import ControlProtocol
import Foundation
import Glibc
import Primitives
import Testing

@testable import fsdns

@Suite struct DoctorTests {
    private static func file() throws -> ClusterFile {
        var file = try ClusterFile.load(
            text: Array(DemoSite(directory: "/nowhere", network: "127.81.14").configText.utf8),
            path: "/demo.xml")
        file.addressMode = .kernel
        file.networks = [
            HeartbeatNetwork(
                name: "ring0", subnet: try #require(IPAddress("10.77.0.0")), prefixLength: 24,
                group: IPAddress("239.77.0.1"), port: 5405)
        ]
        file.settings.addresses = [
            ServiceAddress(name: "alpha", ip: try #require(IPAddress("10.77.0.11")), prefixLength: 24)
        ]
        return file
    }

    private static func interface(
        _ ip: String, _ prefixLength: Int = 24, isUp: Bool = true, hasMulticast: Bool = true
    ) throws -> NetworkCheck.Interface {
        NetworkCheck.Interface(
            name: "eth0", ip: try #require(IPAddress(ip)), prefixLength: prefixLength, isUp: isUp,
            hasMulticast: hasMulticast)
    }

    private static let well = LinkFacts(
        hasCarrier: { _ in true }, duplex: { _ in "full" }, isRouted: { _, _ in true })

    private static func check(
        _ interfaces: [NetworkCheck.Interface], _ links: LinkFacts = well, prefixLength: Int = 24
    ) throws -> [Finding] {
        var file = try file()
        file.settings.addresses[0].prefixLength = prefixLength
        return NetworkCheck(file: file, interfaces: interfaces, links: links).findings
    }

    private static func levels(_ interfaces: [NetworkCheck.Interface]) throws -> [Finding.Level] {
        try check(interfaces).map(\.level)
    }

    @Test("each network and each address needs an interface of this machine that is up")
    func interfaces() throws {
        #expect(try Self.levels([Self.interface("10.77.0.1")]) == [.fine, .fine])
        #expect(try Self.levels([Self.interface("10.78.0.1")]) == [.wrong, .wrong])
        #expect(try Self.levels([Self.interface("10.77.0.1", isUp: false)]) == [.wrong, .wrong])
        #expect(try Self.levels([Self.interface("10.77.0.1", hasMulticast: false)]) == [.wrong, .fine])
    }

    @Test(
        "an address written as a /32 lives in the network of the machine's own address, as the keeper sees it"
    )
    func hostAddress() throws {
        #expect(
            try Self.check([Self.interface("10.77.0.1")], prefixLength: 32).map(\.level) == [.fine, .fine])
        let own = try Self.check([Self.interface("10.77.0.1", 32)])
        #expect(own.map(\.level) == [.fine, .wrong], "the keeper would find no interface either")
    }

    @Test(
        "a cluster file, or a folder of it, that others may write is wrong", arguments: [0o644, 0o646])
    func writableFile(mode: mode_t) throws {
        let folder = NSTemporaryDirectory() + "fsdns-doctor-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/cluster.xml"
        try DemoSite(directory: folder, network: "127.81.14").configText.write(
            toFile: path, atomically: true, encoding: .utf8)
        chmod(path, mode)
        func wrong() throws -> [String] {
            let file = try ClusterFile.load(path: path)
            let findings = ConfigurationCheck(file: file, path: path, flag: "fs1").findings
            return findings.filter { $0.subject == "configuration" && $0.level == .wrong }.map(\.text)
        }
        #expect(try wrong().count == (mode == 0o646 ? 1 : 0))
        #expect(try wrong().allSatisfy { $0.hasPrefix("\(path):1: \(path) may be written by everybody") })
        chmod(folder, 0o777)
        #expect(try wrong().contains { $0.hasSuffix("may be written by everybody: chmod go-w \(folder)") })
    }

    @Test("a service address that somebody has who should not is told, with who it is") func addressUse()
        throws
    {
        var file = try Self.file()
        let held = try #require(IPAddress("10.77.0.11"))
        let free = ServiceAddress(name: "omega", ip: try #require(IPAddress("10.77.0.30")), prefixLength: 24)
        file.settings.addresses.append(free)
        let report = try StatusFixture.report()
        func texts(
            _ report: StatusReport?, here: [String] = [], answering: [String] = [], ago: Duration = .zero
        ) throws -> [String] {
            let interfaces = try here.map { try Self.interface($0) }
            let check = AddressUseCheck(
                file: file, report: report, interfaces: interfaces,
                stations: { asked in
                    var found: [IPAddress: AddressUseCheck.Station] = [:]
                    for ip in asked where answering.contains("\(ip)") {
                        found[ip] = .init(hardware: "02:00:00:00:00:07", age: ago)
                    }
                    return found
                })
            return check.findings.map { "\($0.level) \($0.subject): \($0.text)" }
        }
        #expect(try texts(report) == [])
        // The node itself holds it, or another node does and answers for it.
        #expect(try texts(report, here: ["10.77.0.11"]) == [])
        #expect(try texts(report, answering: ["\(held)"]) == [])
        #expect(
            try texts(report, here: ["10.77.0.30"]) == [
                "wrong address omega: 10.77.0.30 is on eth0, and fsdns did not put it there: two machines could "
                    + "answer for it"
            ])
        #expect(
            try texts(report, answering: ["10.77.0.30"]) == [
                "wrong address omega: 02:00:00:00:00:07 answers for 10.77.0.30, which no node holds"
            ])
        // The kernel remembers for some time who held it until a moment ago.
        #expect(
            try texts(report, answering: ["10.77.0.30"], ago: .seconds(20)) == [
                "notice address omega: 02:00:00:00:00:07 answered for 10.77.0.30 20 s ago, as whoever held it until then "
                    + "did; no node holds it now"
            ])
        #expect(
            try texts(nil, here: ["10.77.0.11"], answering: ["10.77.0.30"]) == [
                "notice address alpha: 10.77.0.11 is on eth0, and no node service answers here: only fsdns may put it "
                    + "there",
                "notice address omega: 02:00:00:00:00:07 answers for 10.77.0.30; that is right only if it is a node of "
                    + "this cluster which holds it",
            ])
    }

    @Test("no carrier, half duplex and a missing route are wrong, what the kernel does not say is not")
    func links() throws {
        let interfaces = try [Self.interface("10.77.0.1")]
        var links = Self.well
        links.hasCarrier = { _ in false }
        links.duplex = { _ in "half" }
        links.isRouted = { _, _ in false }
        let findings = try Self.check(interfaces, links)
        #expect(findings.map(\.level) == [.fine, .wrong, .wrong, .wrong])
        #expect(findings[1].text.hasPrefix("there is no route to the network of 10.77.0.11 on eth0"))
        #expect(findings[2].text == "has no carrier")
        #expect(findings[3].text.hasPrefix("runs half duplex"))
        let unknown = LinkFacts(hasCarrier: { _ in nil }, duplex: { _ in nil }, isRouted: { _, _ in nil })
        #expect(try Self.check(interfaces, unknown).map(\.level) == [.fine, .fine])
    }

    @Test("routes are read from the kernel's tables, without the default route")
    func routes() throws {
        let ip = try #require(IPAddress("10.77.0.11"))
        let connected = "eth1\t00004D0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0"
        let byDefault = "eth1\t00000000\t01004D0A\t0003\t0\t0\t0\t00000000\t0\t0\t0"
        #expect(LinkFacts.route(connected, leadsTo: ip, by: "eth1"))
        #expect(!LinkFacts.route(connected, leadsTo: ip, by: "eth0"))
        #expect(!LinkFacts.route(byDefault, leadsTo: ip, by: "eth1"))
        #expect(!LinkFacts.route("Iface\tDestination", leadsTo: ip, by: "eth1"))
        let ipv6 = try #require(IPAddress("fd77::11"))
        let none = String(repeating: "0", count: 32)
        let line = "fd77\(String(repeating: "0", count: 28)) 40 \(none) 00 \(none) 00000100 00000001 00000000"
        #expect(LinkFacts.route(line + " 00000001     eth1", leadsTo: ipv6, by: "eth1"))
        #expect(!LinkFacts.route(line + " 80000001     eth1", leadsTo: ipv6, by: "eth1"))
        let loopback = try #require(
            NetworkCheck.machineInterfaces().first { $0.ip == IPAddress("127.0.0.1") })
        #expect(loopback.prefixLength == 8)
    }

    @Test("what the running node says of rings and links is told, and that none runs is no fault")
    func rings() {
        var report = RingsReport(node: "fs1", paths: [], dropped: [], warnings: ["SCHED_RR is not permitted"])
        report.faults = []
        #expect(RingCheck(report: report, control: "/c").findings.map(\.level) == [.fine])
        report.faults = ["multicast stops on ring lan", "no link to fs2"]
        #expect(RingCheck(report: report, control: "/c").findings.map(\.level) == [.wrong, .wrong])
        #expect(RingCheck(report: nil, control: "/c").findings.map(\.level) == [.fine])
    }

    @Test("what the running node says keeps it from being ready is told, as it has watched for longer")
    func readiness() throws {
        func found(_ change: (inout StatusReport) -> Void) throws -> [Finding] {
            var report = try StatusFixture.report()
            change(&report)
            return ReadinessCheck(report: report, node: "fs5").findings
        }
        let text = "the switch's core database /db/core.db was replaced: restart FreeSWITCH"
        let bad = try found {
            $0.nodes[4].ready = false
            $0.nodes[4].blockers = [text]
        }
        #expect(bad.map(\.level) == [.notice] && bad[0].text == "the node service says: \(text)")
        #expect(try found { $0.nodes[4].ready = true }.map(\.level) == [.fine])
        #expect(try found { $0.nodes = [] } == [])
    }

    @Test(
        "a program, a node service and nodes of other releases are told, and a program that cannot read what is agreed on"
    )
    func releases() throws {
        func found(_ change: (inout StatusReport) -> Void) throws -> [Finding] {
            var report = try StatusFixture.report()
            report.format = 2
            for place in report.nodes.indices {
                report.nodes[place].release = "9.9"
                report.nodes[place].newestFormat = 2
            }
            change(&report)
            return ReleaseCheck(
                report: report, node: "fs1", program: ReleaseInfo(name: "9.9", formats: 1...2)
            ).findings
        }
        #expect(try found { _ in }.map(\.level) == [.fine])
        let later = try found { $0.format = 3 }
        #expect(
            later.map(\.level) == [.wrong] && later[0].text.contains("reads 2 at most: it does not start"))
        let service = try found { $0.nodes[0].release = "9.8" }
        #expect(service.map(\.text) == ["this program is of release 9.9, the node service here of 9.8"])
        let other = try found {
            $0.nodes[1].release = nil
            $0.nodes[1].newestFormat = 1
        }
        #expect(other.map(\.text) == ["fs2 has an earlier release, this machine 9.9"])
        #expect(ReleaseCheck(report: try StatusFixture.report(), node: "fs1").findings == [])
        #expect(ReleaseCheck(report: nil, node: "fs1").findings == [])
    }

    @Test("the service address itself gives it no home")
    func ownAddress() throws {
        #expect(try Self.levels([Self.interface("10.77.0.11")]) == [.fine, .wrong])
    }

    @Test("this machine has a loopback interface")
    func loopback() throws {
        let ip = try #require(IPAddress("127.0.0.1"))
        #expect(NetworkCheck.machineInterfaces().contains { $0.ip == ip && $0.isUp })
    }

    @Test("a keeper that is not there is wrong, with a fix")
    func keeper() {
        let findings = KeeperCheck(path: "/nonexistent/fsdns-keeper", mode: .kernel).findings
        #expect(findings.map(\.level) == [.wrong])
        #expect(findings.allSatisfy { $0.fix != nil })
    }

    @Test("a state directory nobody can make is wrong")
    func state() {
        let findings = MachineCheck(stateDirectory: "/nonexistent/deep/state").findings
        #expect(findings.first { $0.subject == "state" }?.level == .wrong)
    }

    @Test("too few descriptors and a small socket buffer are told with their fix")
    func shortage() {
        #expect(MachineCheck.files(limit: 1024).level == .wrong)
        #expect(MachineCheck.files(limit: 1024).fix?.contains("LimitNOFILE") == true)
        #expect(MachineCheck.files(limit: 65_536).level == .fine)
        #expect(MachineCheck.time(isKept: false).fix?.contains("chrony") == true)
        #expect([true, false, nil].map { MachineCheck.time(isKept: $0).level } == [.fine, .notice, .notice])
        #expect(MachineCheck.buffers(limit: 212_992).level == .notice)
        #expect(MachineCheck.buffers(limit: 212_992).fix?.contains("net.core.rmem_max") == true)
        #expect(MachineCheck.buffers(limit: 1 << 22).level == .fine)
        #expect(MachineCheck.buffers(limit: nil).level == .notice)
    }

    @Test("a finding shows its fix below")
    func lines() {
        #expect(
            Finding.wrong("keeper", "is missing", fix: "install it").lines(paint: .off)
                == ["BAD   keeper: is missing", "      fix: install it"])
        #expect(Finding.fine("clock", "source is tsc").lines(paint: .off) == ["ok    clock: source is tsc"])
    }
}
