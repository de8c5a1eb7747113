import Cluster
import Consensus
import Primitives

/// `fsdns members`: nodes, votes and quorum in the order of `corosync-quorumtool -l`.
struct MembersText {
    var paint: Paint
    var width: Int?

    func lines(_ report: StatusReport) -> [String] {
        let quorum = report.quorum
        let isQuorate = quorum.have >= quorum.needed
        let facts: [(String, String)] = [
            ("Cluster", report.cluster),
            ("Leader", report.leader ?? "none"),
            ("Term", "\(report.term)"),
            ("Nodes", "\(report.nodes.count)"),
            ("Quorate", isQuorate ? paint("Yes", .good) : paint("No", .bad)),
        ]
        let votes: [(String, String)] = [
            ("Expected votes", "\(quorum.votes)"),
            ("Total votes", "\(quorum.have)"),
            ("Quorum", isQuorate ? "\(quorum.needed)" : "\(quorum.needed) Activity blocked"),
        ]
        return section("Quorum information") + pairs(facts) + [""]
            + section("Vote information") + pairs(votes) + [""]
            + section("Membership information") + members(report).lines(paint: paint, width: width)
    }

    private func section(_ title: String) -> [String] {
        [paint(title, .bold), String(repeating: "-", count: title.count)]
    }

    private func pairs(_ pairs: [(String, String)]) -> [String] {
        pairs.map { name, value in
            "\(name):" + String(repeating: " ", count: max(1, 17 - name.count)) + value
        }
    }

    private func members(_ report: StatusReport) -> Table {
        var table = Table([
            .init("NAME"), .init("VOTES", .right), .init("ROLE"), .init("INCARNATION"), .init("HEARD"),
        ])
        for node in report.nodes {
            let heard: String
            if node.name == report.node {
                heard = "(local)"
            } else {
                let others = (node.heardBy ?? []).map { "\($0.node) \($0.ms) ms ago" }
                heard =
                    (["\(node.lastHeardMs.map { "\($0) ms ago" } ?? "never")"] + others).joined(
                        separator: "; ")
            }
            table.add([
                .init(node.name + (node.name == report.leader ? " (leader)" : ""), .bold),
                .init(node.voter ? 1 : 0), .init(node.role.rawValue), .init(node.incarnation), .init(heard),
            ])
        }
        return table
    }
}
