import Cluster
import Config
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
        _ ip: String, isUp: Bool = true, hasMulticast: Bool = true
    ) throws -> NetworkCheck.Interface {
        NetworkCheck.Interface(
            name: "eth0", ip: try #require(IPAddress(ip)), isUp: isUp, hasMulticast: hasMulticast)
    }

    private static func levels(_ interfaces: [NetworkCheck.Interface]) throws -> [Finding.Level] {
        NetworkCheck(file: try file(), interfaces: interfaces).findings.map(\.level)
    }

    @Test("each network and each address needs an interface of this machine")
    func interfaces() throws {
        #expect(try Self.levels([Self.interface("10.77.0.1")]) == [.fine, .fine])
        #expect(try Self.levels([Self.interface("10.78.0.1")]) == [.wrong, .wrong])
        #expect(try Self.levels([Self.interface("10.77.0.1", isUp: false)]) == [.wrong, .fine])
        #expect(try Self.levels([Self.interface("10.77.0.1", hasMulticast: false)]) == [.wrong, .fine])
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
