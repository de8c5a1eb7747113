import Primitives

/// How the FreeSWITCH of a machine is reached.
package enum SwitchSettings: Hashable, Sendable {
    case none
    case eventSocket(SwitchAccess)
}

/// The event socket of a FreeSWITCH, and how much is asked of it.
package struct SwitchAccess: Hashable, Sendable {
    /// What counts as one registration on its profiles: their parameter `multiple-registrations`.
    package enum Registrations: String, Hashable, Sendable, CaseIterable {
        /// One contact for each user (`multiple-registrations` is off).
        case single
        /// `multiple-registrations=true`.
        case callID = "call-id"
        /// `multiple-registrations=contact`.
        case contact
    }
    package var endpoint: Endpoint
    /// Absolute.
    package var passwordFile: String
    /// Between two questions whether its event system lives.
    package var check: Duration
    /// How long it may owe the answer before the node gives up its seat.
    package var failedAfter: Duration
    package var registrations: Registrations
    /// Registrations of other nodes told to it in a second, at most.
    package var injectionsPerSecond: Int
    /// Phones of a drained address told to register again in a second, at most.
    package var promptsPerSecond = 20
    /// Whether a drained switch begins no calls of its own either: live calls that would reach another party fail then.
    package var drainsOutbound = true

    package init(
        endpoint: Endpoint, passwordFile: String, check: Duration = .milliseconds(100),
        failedAfter: Duration = .seconds(3), registrations: Registrations = .single,
        injectionsPerSecond: Int = 2000
    ) {
        self.endpoint = endpoint
        self.passwordFile = passwordFile
        self.check = check
        self.failedAfter = failedAfter
        self.registrations = registrations
        self.injectionsPerSecond = injectionsPerSecond
    }
}

/// Where one of our own services listens, and the file with the password its clients must know.
package struct ListenerSettings: Hashable, Sendable {
    package var endpoint: Endpoint
    /// Absolute.
    package var passwordFile: String
    /// Absolute; the password of who may only look. Of the event socket alone.
    package var lookPasswordFile: String?

    package init(endpoint: Endpoint, passwordFile: String, lookPasswordFile: String? = nil) {
        self.endpoint = endpoint
        self.passwordFile = passwordFile
        self.lookPasswordFile = lookPasswordFile
    }
}

/// The switch of one machine and our services beside it.
package struct SwitchSection: Hashable, Sendable {
    package var freeswitch: SwitchSettings?
    /// Our own event socket, for fs_cli and mod_hash.
    package var eventSocket: ListenerSettings?
    /// Our own limit service, for mod_hiredis.
    package var limitService: ListenerSettings?

    package init(
        freeswitch: SwitchSettings? = nil, eventSocket: ListenerSettings? = nil,
        limitService: ListenerSettings? = nil
    ) {
        self.freeswitch = freeswitch
        self.eventSocket = eventSocket
        self.limitService = limitService
    }

    /// With what is said for all machines where this one's own element says nothing.
    func completed(by common: SwitchSection) -> SwitchSection {
        SwitchSection(
            freeswitch: freeswitch ?? common.freeswitch, eventSocket: eventSocket ?? common.eventSocket,
            limitService: limitService ?? common.limitService)
    }
}

/// What a limit answers while this node cannot see the whole cluster.
package struct LimitRules: Hashable, Sendable {
    package enum WhenSplit: String, Hashable, Sendable, CaseIterable {
        /// What is seen is counted; the other side counts on its own.
        case open
        /// Everything is refused.
        case closed
        /// Each side gets its part of the budget.
        case share
    }
    package struct Rule: Hashable, Sendable {
        /// Of the limit's key; `*` stands for any characters.
        package var pattern: String
        package var whenSplit: WhenSplit

        package init(pattern: String, whenSplit: WhenSplit) {
            self.pattern = pattern
            self.whenSplit = whenSplit
        }
    }
    /// The first that fits counts.
    package var rules: [Rule]
    package var otherwise: WhenSplit

    package init(rules: [Rule] = [], otherwise: WhenSplit = .open) {
        self.rules = rules
        self.otherwise = otherwise
    }
}

extension ClusterFile {
    /// The switch of that node and our services beside it: what its own element says, else what is said for all.
    package func switchSection(of node: String) -> SwitchSection {
        // It has no FreeSWITCH, and so none of what stands beside one.
        if settings.nodes.first(where: { $0.name == node })?.kind == .witness { return SwitchSection() }
        let own = nodeSwitches.first { $0.node == node }?.section ?? SwitchSection()
        return own.completed(
            by: SwitchSection(
                freeswitch: freeswitch, eventSocket: eventSocket, limitService: limitService))
    }
}
