import Cluster
import Consensus
import PeerProtocol
import Primitives

// What links carry.

extension Sample {
    static let rider = Rider(
        effectiveThrough: 12, ages: [SilenceAge(fence: epoch(12), holder: one, age: .milliseconds(170))])

    static var frames: [(name: String, value: PeerFrame)] {
        let hello = PeerHello(oldestVersion: 1, newestVersion: 3, cluster: "pbx", holder: one)
        var proven = hello
        proven.voucher = HeartbeatVoucher(publicKey: Array(1...32))
        let messages: [(name: String, value: PeerMessage)] = [
            (
                "admission",
                .admission(
                    Admission(
                        holder: one, kind: .witness, settingsVersion: 9, machine: machine,
                        anew: "its disk was new"))
            ), ("released", .released(ReleaseNotice(address: "alpha", holder: one, epoch: epoch(12)))),
            ("relinquish", .relinquish(Relinquishment(holder: one, reason: "told to stop", leaving: true))),
            (
                "relinquish-ordered",
                .relinquish(
                    Relinquishment(
                        holder: one, reason: "FreeSWITCH is about to be stopped", leaving: false,
                        isOrdered: true))
            ),
            ("refused", .refused("fs9 is not in the cluster file")),
            ("step-ended", .stepNoticed(notice(.ended(outcome(.failed("exited with 1")))))),
            ("step-checked", .stepNoticed(notice(.checked(CheckResult(holds: true, text: "200 OK"))))),
        ]
        let consensus = bodies.map { name, body in
            ("consensus-\(name)", PeerMessage.consensus(ControlMessage(term: 3, body: body), rider))
        }
        let asked = requests.map { ("request-\($0.name)", PeerMessage.request(id: 300, $0.value)) }
        let answered = replies.map { ("response-\($0.name)", PeerMessage.response(id: 300, $0.value)) }
        return [("hello", .hello(hello)), ("hello-with-key", .hello(proven))]
            + (messages + consensus + asked + answered).map { ($0.0, .message($0.1)) }
    }

    private static func notice(_ body: StepNotice.Body) -> StepNotice {
        StepNotice(id: step, from: two, body: body)
    }

    private static var bodies: [(name: String, value: ControlMessage.Body)] {
        let payloads: [ControlEntry.Payload] = [
            .empty, .command(stamped(.ttlServed)), .membership(membership),
        ]
        let entries = payloads.enumerated().map { place, payload in
            ControlEntry(term: 3, index: 61 + UInt64(place), payload: payload)
        }
        return [
            ("pre-vote-request", .preVoteRequest(lastLog: epoch(60))),
            ("pre-vote-reply", .preVoteReply(granted: true)),
            ("vote-request", .voteRequest(lastLog: epoch(60), transfer: true)),
            ("vote-reply", .voteReply(granted: true)),
            ("append", .append(previous: epoch(60), entries: entries, commit: 59)),
            ("accepted", .appendReply(.accepted(agreed: 63, durable: 62))),
            ("rejected", .appendReply(.rejected(previous: 60, hint: epoch(55)))),
            ("snapshot", .snapshot(snapshot)), ("snapshot-reply", .snapshotReply(index: 60)),
            ("timeout-now", .timeoutNow),
        ]
    }
}
