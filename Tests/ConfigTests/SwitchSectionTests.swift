import Config
import Testing

@Suite struct SwitchSectionTests {
    private func file(_ more: String, node: String = "<node name=\"fs1\"/>") throws -> ClusterFile {
        let text = goodFile.replacing("<node name=\"fs1\"/>", with: node).replacing(
            "</cluster>", with: more + "</cluster>")
        return try ClusterFile.load(text: Array(text.utf8), path: "/etc/fsdns/cluster.xml")
    }

    @Test("a switch is asked every 100 ms and given up after a second unless the file says otherwise")
    func defaults() throws {
        guard case .eventSocket(let access) = try file("").freeswitch else {
            Issue.record("the good file has an event socket")
            return
        }
        #expect(access.check == .milliseconds(100))
        #expect(access.failedAfter == .seconds(3))
        #expect(access.registrations == .single)
        #expect(access.passwordFile == "/etc/fsdns/event_socket.secret")
    }

    @Test("a witness needs none of the secrets of a FreeSWITCH and what stands beside it") func witness()
        throws
    {
        let all = "<event-socket listen=\"127.0.0.1:8121\" password-file=\"own.secret\"/>"
        let file = try file(all, node: "<node name=\"fs1\"/><witness name=\"w1\"/>")
        #expect(file.switchSection(of: "w1") == SwitchSection())
        #expect(file.secretFiles(of: "w1").allSatisfy { $0.use != .eventSocket && $0.use != .ownEventSocket })
        #expect(file.secretFiles(of: "fs1").contains { $0.use == .eventSocket })
    }

    @Test("what a node's own element says counts before what is said for all")
    func ownElement() throws {
        let all = "<event-socket listen=\"127.0.0.1:8121\" password-file=\"own.secret\"/>"
        let own = "<node name=\"fs1\"><freeswitch kind=\"none\"/></node>"
        let file = try file(all, node: own)
        let first = file.switchSection(of: "fs1")
        #expect(first.freeswitch == SwitchSettings.none)
        #expect(first.eventSocket?.passwordFile == "/etc/fsdns/own.secret")
        #expect(file.switchSection(of: "fs2").freeswitch == file.freeswitch)
        #expect(
            file.secretFiles(of: nil).contains(
                SecretFile(use: .ownEventSocket, path: "/etc/fsdns/own.secret")))
    }

    @Test("rules for splits are read in their order") func limits() throws {
        let file = try file(
            "<limits when-split=\"share\"><limit name=\"trunk*\" when-split=\"closed\"/></limits>")
        #expect(file.limitRules.otherwise == .share)
        #expect(file.limitRules.rules == [LimitRules.Rule(pattern: "trunk*", whenSplit: .closed)])
    }

    @Test("the event socket may have a password for looking, and playbooks a list of programs") func rights()
        throws
    {
        let file = try file(
            "<event-socket listen=\"127.0.0.1:8121\" password-file=\"own.secret\" "
                + "look-password-file=\"look.secret\"/><playbooks programs=\"programs\"/>")
        #expect(file.eventSocket?.lookPasswordFile == "/etc/fsdns/look.secret")
        #expect(
            file.secretFiles(of: nil).contains(
                SecretFile(use: .ownEventSocketLook, path: "/etc/fsdns/look.secret")))
        #expect(file.programsFile == "/etc/fsdns/programs")
        #expect(try self.file("").programsFile == nil)
    }

    @Test("links may show certificates: found beside the file, secret, required unless it says otherwise")
    func certificates() throws {
        let element = "<links certificate-file=\"peer.pem\" authority-file=\"/etc/peer-ca.pem\"/>"
        let read = try file(element)
        let certificates = try #require(read.certificates)
        #expect(certificates.certificateFile == "/etc/fsdns/peer.pem")
        #expect(certificates.authorityFile == "/etc/peer-ca.pem")
        #expect(certificates.isRequired)
        let secret = try #require(read.secretFiles(of: nil).first { $0.use == .linkCertificate })
        #expect(secret.path == "/etc/fsdns/peer.pem" && secret.limit == 65_536)
        #expect(
            try file(element.replacing("/>", with: " required=\"no\"/>")).certificates?.isRequired == false)
        #expect(try file("").certificates == nil)
    }

    @Test("a service open to the network is warned of") func open() throws {
        let file = try file("<limit-service listen=\"10.77.0.1:6380\" password-file=\"l.secret\"/>")
        #expect(file.warnings.map(\.message).contains { $0.contains("where others can reach it") })
    }
}
