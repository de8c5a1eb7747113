/// One leg of a call: all that another node's switch needs to revive it, as the events told it.
package struct CallLeg: Hashable, Sendable {
    package enum Direction: String, Hashable, Sendable { case inbound, outbound }
    package enum Phase: UInt8, Hashable, Sendable {
        /// Not answered: FreeSWITCH cannot revive it.
        case ringing
        case answered
        case held
    }
    package struct Field: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }
    /// The channel's uuid; it stays the same when the leg is revived elsewhere.
    package var uuid: String
    /// Core-UUID of the FreeSWITCH process that runs the leg; any other process has to revive it.
    package var runtime: String
    /// The switchname of that process.
    package var switchname: String
    /// The sofia profile, which is the name of a service address.
    package var profile: String
    package var direction: Direction
    package var phase: Phase
    /// The other leg of a bridge.
    package var partner: String?
    /// Of the two legs of a bridge exactly one is its originator.
    package var isOriginator: Bool
    /// Every channel variable, without the `variable_` of the events, in their order.
    package var variables: [Field]
    /// `Caller-…` headers of the events, with that prefix removed: profile fields and times.
    package var caller: [Field]
    /// `<flags>` of the row in the switch's own `recovery` table, when it was seen there.
    package var flags: String?

    package init(
        uuid: String, runtime: String, switchname: String, profile: String, direction: Direction,
        phase: Phase, partner: String? = nil, isOriginator: Bool = false, variables: [Field] = [],
        caller: [Field] = [], flags: String? = nil
    ) {
        self.uuid = uuid
        self.runtime = runtime
        self.switchname = switchname
        self.profile = profile
        self.direction = direction
        self.phase = phase
        self.partner = partner
        self.isOriginator = isOriginator
        self.variables = variables
        self.caller = caller
        self.flags = flags
    }

    package func variable(_ name: String) -> String? { variables.first { $0.name == name }?.value }
}
