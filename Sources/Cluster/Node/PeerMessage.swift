import Primitives

/// What goes over a peer link between two nodes.
package enum PeerMessage: Hashable, Sendable {
    /// Consensus traffic and what rides on it.
    case consensus(ControlMessage, Rider)
    /// "Take me in": sent to the leader by an incarnation the control state does not know.
    case admission(Admission)
    /// "I hold this address no more": to the leader and to the next holder.
    case released(ReleaseNotice)
    /// "Move my addresses away": my switch died, or I was told to stop.
    case relinquish(Relinquishment)
    /// An operator's request, carried to the leader.
    case request(id: UInt64, OperatorRequest)
    case response(id: UInt64, OperatorReply)
    /// The leader's answer to an admission it will never grant.
    case refused(String)
    /// How a step of a playbook ended here, or what was seen: to the leader.
    case stepNoticed(StepNotice)
}

/// What leases need and consensus does not: carried by consensus messages in both directions.
package struct Rider: Hashable, Sendable {
    /// From the leader: grants up to this index are in effect. Zero says nothing.
    package var effectiveThrough: Index
    /// From a replier: how long ago it received the newest heartbeat it acknowledged of each holder being fenced.
    package var ages: [SilenceAge]

    package init(effectiveThrough: Index = 0, ages: [SilenceAge] = []) {
        self.effectiveThrough = effectiveThrough
        self.ages = ages
    }
}

package struct SilenceAge: Hashable, Sendable {
    /// Log index of the fence the replier holds.
    package var fence: Epoch
    package var holder: Holder
    package var age: Duration

    package init(fence: Epoch, holder: Holder, age: Duration) {
        self.fence = fence
        self.holder = holder
        self.age = age
    }
}

package struct Admission: Hashable, Sendable, Codable {
    package var holder: Holder
    package var kind: NodeRule.Kind
    package var settingsVersion: UInt64
    /// Where it runs; nil when it does not know, or is of an older version.
    package var machine: MachineID?
    /// Why it came without its former state; nil when it did not.
    package var anew: String?

    package init(
        holder: Holder, kind: NodeRule.Kind, settingsVersion: UInt64, machine: MachineID? = nil,
        anew: String? = nil
    ) {
        self.machine = machine
        self.anew = anew
        self.holder = holder
        self.kind = kind
        self.settingsVersion = settingsVersion
    }
}

package struct ReleaseNotice: Hashable, Sendable, Codable {
    package var address: String
    package var holder: Holder
    /// The grant that ended.
    package var epoch: Epoch

    package init(address: String, holder: Holder, epoch: Epoch) {
        self.address = address
        self.holder = holder
        self.epoch = epoch
    }
}

package struct Relinquishment: Hashable, Sendable, Codable {
    package var holder: Holder
    package var reason: String
    /// Whether the node leaves the cluster for now, rather than only its seats.
    package var leaving: Bool
    /// True when somebody who runs the machine told it to, and nothing is wrong; nil otherwise.
    package var isOrdered: Bool?

    package init(holder: Holder, reason: String, leaving: Bool, isOrdered: Bool? = nil) {
        self.holder = holder
        self.reason = reason
        self.leaving = leaving
        self.isOrdered = isOrdered
    }

    /// Nothing is wrong with the holder: the move is none of those that must not go round and round.
    var isPlanned: Bool { leaving || isOrdered == true }
}
