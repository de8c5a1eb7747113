import Cluster
import FoundationEssentials

/// One cluster in the middle of a drain, as its leader reports it.
enum StatusFixture {
    static func report(
        drain: String = draining, epoch: String = "3.117"
    ) throws -> StatusReport {
        let text = """
            { "cluster": "pbx", "node": "fs1", "leader": "fs1", "term": 3, "epoch": "\(epoch)",
              "quorum": {"votes": 5, "needed": 3, "have": 4},
              "nodes": [
                \(node("fs1", "master", seat: "master1", address: "10.77.0.11", calls: 412)),
                \(node("fs2", "master", seat: "master2", address: "10.77.0.12", calls: 371, heard: 12)),
                \(node("fs3", "failed", heard: 90500, voter: false, lease: "expired")),
                \(node("fs4", "slave", position: 1, address: "10.77.0.19", heard: 8)),
                \(node("fs5", "slave", position: 2, heard: nil, note: "no real-time scheduling"))
              ],
              "seats": [
                {"name": "master1", "address": "10.77.0.11", "addressName": "alpha", "holder": "fs1",
                 "state": "active", "published": true, "epoch": "3.9"},
                {"name": "master2", "address": "10.77.0.12", "addressName": "beta", "holder": "fs2",
                 "state": "draining", "published": false, "epoch": "3.10"},
                {"name": "master3", "address": "10.77.0.13", "addressName": "gamma",
                 "state": "uncovered", "published": false}
              ],
              "maintenance": {"addresses": ["10.77.0.19"]\(drain.isEmpty ? "" : ", \"drain\": \(drain)")},
              "dns": {"zone": "voip.example.net", "converged": false, "epoch": "3.117",
                      "servers": [{"address": "127.0.0.1:5353", "serial": 2026112101, "converged": true},
                                  {"address": "127.0.0.2:5353", "converged": false, "problem": "no answer"}]},
              "warnings": ["master3 is uncovered: no slave is left"] }
            """
        return try JSONDecoder().decode(StatusReport.self, from: Data(text.utf8))
    }

    static let draining = drain(phase: "waiting-for-calls", calls: 371)

    static func drain(phase: String, calls: Int) -> String {
        """
        {"seat": "master2", "from": "fs2", "to": "fs4", "phase": "\(phase)",
         "oldAddress": "10.77.0.12", "newAddress": "10.77.0.19", "callsLeft": \(calls), "registrationsLeft": 12,
         "deadlineSeconds": 2530, "onDeadline": "handover", "owner": "ann@ops", "reason": "kernel update",
         "waitingFor": "\(calls) calls on 10.77.0.12"}
        """
    }

    static func node(
        _ name: String, _ role: String, position: Int? = nil, seat: String? = nil, address: String? = nil,
        calls: Int = 0, heard: Int? = nil, voter: Bool = true, lease: String = "valid", note: String? = nil
    ) -> String {
        let optional = [
            position.map { "\"position\": \($0), " }, seat.map { "\"seat\": \"\($0)\", " },
            heard.map { "\"lastHeardMs\": \($0), " }, note.map { "\"note\": \"\($0)\", " },
        ]
        return """
            {\(optional.compactMap(\.self).joined())"name": "\(name)", "role": "\(role)",
             "addresses": [\(address.map { "\"\($0)\"" } ?? "")], "lease": "\(lease)", "freeswitch": "healthy",
             "calls": \(calls), "registrations": \(calls * 2), "voter": \(voter), "incarnation": "1-0badcafe",
             "configurationDiffers": false}
            """
    }

    /// The fixture's drain over: the node that was drained is now in `role`.
    static func report(fs2 role: String, epoch: String = "3.120") throws -> StatusReport {
        var report = try report(drain: "", epoch: epoch)
        guard let role = Role(rawValue: role) else { throw FixtureFailure.unknownRole }
        report.nodes[1].role = role
        return report
    }

    enum FixtureFailure: Error {
        case unknownRole
    }
}
