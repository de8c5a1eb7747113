import Cluster
import Primitives

/// Which service addresses a word on the command line means: their names, as the cluster file has them.
///
/// A word may be an address's name, its IP, the seat it serves, or a node: then all it holds.
struct AddressNames {
    var report: StatusReport

    /// Every address, by name, with its IP as status shows it.
    private var addresses: [(name: String, ip: String)] {
        var addresses = report.seats.map { (name: $0.addressName, ip: $0.address) }
        addresses += zip(report.maintenance.names ?? [], report.maintenance.addresses).map {
            (name: $0, ip: $1)
        }
        return addresses
    }

    /// - Throws: `invalid` for a word that names nothing, with what there is.
    func named(_ word: String) throws(CommandFailure) -> Set<String> {
        let addresses = addresses
        if addresses.contains(where: { $0.name == word }) { return [word] }
        if let seat = report.seats.first(where: { $0.name == word }) { return [seat.addressName] }
        if let node = report.nodes.first(where: { $0.name == word }) {
            let seats = report.seats.filter { $0.holder == node.name }.map(\.addressName)
            let held = addresses.filter { address in node.addresses.contains { Self.isSame($0, address.ip) } }
            return Set(seats + held.map(\.name))
        }
        if let address = addresses.first(where: { Self.isSame($0.ip, word) }) { return [address.name] }
        let known = addresses.map(\.name) + report.seats.map(\.name) + report.nodes.map(\.name)
        throw .invalid([
            "“\(word)” is no address, seat or node of this cluster; it has \(known.joined(separator: ", "))"
        ])
    }

    /// The seat an order means by the same words; nil when it means none.
    func seat(_ word: String) -> StatusReport.SeatLine? {
        report.seats.first { $0.name == word || $0.addressName == word }
            ?? report.seats.first { Self.isSame($0.address, word) }
            ?? report.seats.first { $0.holder == word }
    }

    /// An IPv6 address has many spellings.
    private static func isSame(_ a: String, _ b: String) -> Bool {
        if a == b { return true }
        guard let first = IPAddress(a), let second = IPAddress(b) else { return false }
        return first == second
    }
}
