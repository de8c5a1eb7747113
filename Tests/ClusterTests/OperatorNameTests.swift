import Cluster
import Testing

@Suite("Who asks")
struct OperatorNameTests {
    @Test("a client that tells the truth is called by its login name and the node it asks")
    func truth() {
        #expect(OperatorName.proven(login: "ann", node: "fs1", claim: "ann@laptop") == "ann@fs1")
        #expect(OperatorName.proven(login: "ann", node: "fs1", claim: "") == "ann@fs1")
    }

    @Test("another name is only what it claims")
    func claim() {
        #expect(
            OperatorName.proven(login: "root", node: "fs1", claim: "ceo@hq") == "root@fs1 (claims ceo@hq)")
        #expect(
            OperatorName.proven(login: "r (claims x)@y", node: "fs1", claim: "") == "r__claims_x)_y@fs1")
    }

    @Test("a node may tell who asked it, and cannot say that another node was asked")
    func relay() {
        let honest = OperatorName.proven(login: "root", node: "fs3", claim: "ceo@hq")
        #expect(OperatorName.relayed(honest, by: "fs3") == honest)
        #expect(OperatorName.withoutClaim(honest) == "root@fs3")
        #expect(OperatorName.relayed("root@fs1", by: "fs3") == "fs3 (claims root@fs1)")
        #expect(
            OperatorName.relayed("root@fs1 (claims x)@fs3", by: "fs3")
                == "fs3 (claims root@fs1 (claims x)@fs3)")
        #expect(OperatorName.relayed("", by: "fs3") == "fs3 (claims )")
        let message = PeerMessage.request(id: 7, .abortDrain(who: "root@fs1")).relayed(by: "fs3")
        #expect(message == .request(id: 7, .abortDrain(who: "fs3 (claims root@fs1)")))
    }

    @Test("every request that changes something names who asks, and takes another name")
    func everyRequest() {
        let drain = DrainRequest(
            target: "master1", deadline: nil, onDeadline: .wait, reason: "", dryRun: false, who: "a")
        let requests: [OperatorRequest] = [
            .drain(drain), .abortDrain(who: "a"), .undrain(node: "fs1", who: "a"),
            .switchover(seat: "master1", to: nil, dryRun: false, who: "a"), .zoneApply(adopt: true, who: "a"),
            .playbook(.unschedule(name: "p", who: "a")), .playbook(.cancel(who: "a")),
            .playbook(.approve(who: "a")),
        ]
        for request in requests {
            #expect(request.who == "a")
            #expect(request.asked(by: "b").who == "b")
        }
        for request in [OperatorRequest.status, .zone, .playbook(.list), .playbook(.history)] {
            #expect(request.who == nil && request.asked(by: "b") == request)
        }
    }
}
