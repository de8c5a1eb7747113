import Primitives

/// What the parts that decide about one machine's switch are told of the cluster: where each address is, and who is heard.
package struct PlacementSnapshot: Hashable, Sendable {
    /// In the order of the cluster file.
    package var placements: [AddressPlacement]
    /// Names of the nodes heard now, this one among them.
    package var heard: [String]
    /// Addresses that are still here and go elsewhere by plan, sorted: the calls on them that nobody could revive are to
    /// be ended now.
    package var partings: [String]

    package init(placements: [AddressPlacement] = [], heard: [String] = [], partings: [String] = []) {
        self.placements = placements
        self.heard = heard
        self.partings = partings
    }
}

/// Where one address is. Its name is that of its SIP profile.
package struct AddressPlacement: Hashable, Sendable {
    package var name: String
    package var ip: IPAddress
    /// Name of the node that may hold it by agreement; nil when nobody may.
    package var holder: String?
    /// The decision that gave it; zero when nobody has it.
    package var epoch: Epoch
    /// Whether this node holds it now.
    package var isHere: Bool

    package init(name: String, ip: IPAddress, holder: String?, epoch: Epoch, isHere: Bool) {
        self.name = name
        self.ip = ip
        self.holder = holder
        self.epoch = epoch
        self.isHere = isHere
    }
}
