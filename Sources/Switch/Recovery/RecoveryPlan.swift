import Replication

/// Why nothing is revived now.
package enum RecoveryRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// Its rows would be deleted unrevived, and their uuids stay occupied until a restart.
    case profileMissing(String)
    case profileNotRunning(String, state: String)
    /// Inbound legs, or those it called, would be refused, and their rows deleted.
    case paused
    /// Rows cannot be written: why.
    case database(String)

    /// Whether nobody could be served there now anyway.
    package var isOfProfile: Bool {
        switch self {
        case .profileMissing, .profileNotRunning: true
        case .paused, .database: false
        }
    }

    package var description: String {
        switch self {
        case .profileMissing(let name): "the switch has no SIP profile \(name)"
        case .profileNotRunning(let name, let state): "the SIP profile \(name) is \(state), not RUNNING"
        case .paused: "the switch is paused"
        case .database(let reason): "its rows could not be written: \(reason)"
        }
    }
}

/// Why one leg is not, or was not, revived.
package enum RecoveryLoss: Hashable, Sendable, CustomStringConvertible {
    case impossible(Recoverability.Obstacle)
    /// The switch has a channel of that uuid: it must not be revived a second time.
    case exists
    case refused(RecoveryRefusal)
    /// The switch was told twice and did not begin it.
    case notRevived
    /// Its other leg never came; it was hung up.
    case stuck
    /// It began and was hung up for another reason than that somebody hung up: the cause.
    case ended(String)
    /// It began, and then was gone without a word.
    case vanished
    /// It is there, and its peer has not taken the re-INVITE so far.
    case unanswered
    /// The address went on before anything was done about it.
    case unbegun
    /// The address went on while the switch was told to revive it.
    case underWay
    /// It was there, and nothing told of its peer's answer, when the address went on.
    case unconfirmed
    /// The recovery was given up: why.
    case abandoned(String)
    /// Nobody had it for so long that whoever talked there has hung up.
    case tooLate

    package var description: String {
        switch self {
        case .impossible(let obstacle): obstacle.description
        case .exists: "it is there already"
        case .refused(let refusal): refusal.description
        case .notRevived: "the switch did not revive it"
        case .stuck: "its other leg did not come back"
        case .ended("SYSTEM_SHUTDOWN"): "the switch was stopped and hung it up (SYSTEM_SHUTDOWN)"
        case .ended("MANAGER_REQUEST"): "it was hung up by command (MANAGER_REQUEST)"
        case .ended(let cause): "the peer did not take it back (\(cause))"
        case .vanished: "it came back and was gone"
        case .unanswered: "its peer has not answered the new switch yet"
        case .unbegun: "nothing had been done about it yet"
        case .underWay: "it was not back yet"
        case .unconfirmed: "it was back, and its peer was not known to have answered yet"
        case .abandoned(let reason): "the recovery was given up: \(reason)"
        case .tooLate: "no switch could revive it in time"
        }
    }

    /// Whether no other switch could revive the leg either.
    package var isFinal: Bool {
        switch self {
        case .refused, .abandoned, .exists, .unanswered, .unbegun, .underWay, .unconfirmed: false
        case .impossible, .notRevived, .stuck, .ended, .vanished, .tooLate: true
        }
    }

    /// Whether it says nothing of what the next holder of the address comes to, who has the leg's record still.
    var isOfOneSwitch: Bool {
        switch self {
        case .notRevived, .stuck, .vanished: true
        default: !isFinal
        }
    }
}

/// Which calls of one address the local switch revives, in which batches, and which it leaves and why.
package struct RecoveryPlan: Hashable, Sendable {
    package struct Left: Hashable, Sendable {
        package var uuid: String
        package var reason: RecoveryLoss
    }

    package struct Settings: Hashable, Sendable {
        /// The most legs of one batch: the switch takes 3–6 ms for each, and the next batch waits.
        package var batchLegs = 100
        /// A small first batch brings the most important calls back soonest.
        package var firstBatchLegs = 20
        /// The address the profile is bound to; nil when media addresses are not to be compared.
        package var serviceAddress: String?

        package init(serviceAddress: String? = nil) { self.serviceAddress = serviceAddress }
    }

    /// Most important first; both legs of a call are in one batch.
    package var batches: [[RecoverableCall]]
    /// Sorted by uuid.
    package var left: [Left]
    /// Of those the ones whose peers can be told, one leg each.
    package var farewells: [[RecoverableCall]]

    /// - Parameters:
    ///   - legs: of the address whose profile this is.
    ///   - local: facts about the switch, fresh.
    ///   - isTooLate: nobody talks in these calls any more; their legs are only told that they are over.
    /// - Throws: when the switch must not be asked to revive anything now.
    package init(
        legs: [CallLeg], profile: String, local: LocalSwitch, settings: Settings, isTooLate: Bool = false
    ) throws(RecoveryRefusal) {
        guard let known = local.profiles.first(where: { $0.name == profile }) else {
            throw .profileMissing(profile)
        }
        guard known.isRunning else { throw .profileNotRunning(profile, state: known.state) }
        if local.isPaused { throw .paused }
        var (calls, left) = Self.sort(legs, profile: profile, local: local, settings: settings)
        if isTooLate {
            left += calls.flatMap(\.legs).map { Left(uuid: $0.uuid, reason: .tooLate) }
            calls = []
        }
        self.left = left.sorted { $0.uuid < $1.uuid }
        batches = Self.batches(calls.sorted(by: RecoverableCall.isMoreImportant), settings)
        let lost = Set(left.map(\.uuid))
        farewells = Self.batches(
            legs.filter { lost.contains($0.uuid) && Self.canBeTold($0, profile, local, settings) }
                .sorted { $0.uuid < $1.uuid }.map { RecoverableCall(legs: [$0], isFarewell: true) }, settings)
    }

    /// Whether the leg's peer can be told that its call is over: there is a dialog, and nothing of the call is in the switch.
    private static func canBeTold(
        _ leg: CallLeg, _ profile: String, _ local: LocalSwitch, _ settings: Settings
    ) -> Bool {
        let there = [leg.uuid, leg.partner ?? leg.uuid].contains { local.channels.contains($0) }
        return !there && leg.profile == profile && SIPTag.repaired(leg) != nil
            && Recoverability.obstacle(of: leg, serviceAddress: settings.serviceAddress) == nil
    }

    private static func sort(
        _ legs: [CallLeg], profile: String, local: LocalSwitch, settings: Settings
    ) -> (calls: [RecoverableCall], left: [Left]) {
        var known: [String: CallLeg] = [:]
        for leg in legs { known[leg.uuid] = leg }
        // A calling leg that was heard of before its bridge does not know its partner: the partner does.
        for leg in legs.sorted(by: { $0.uuid < $1.uuid }) {
            if let other = leg.partner, known[other]?.partner == nil { known[other]?.partner = leg.uuid }
        }
        var calls: [RecoverableCall] = []
        var left: [Left] = []
        for leg in known.values.sorted(by: { $0.uuid < $1.uuid }) {
            let partner = leg.partner.flatMap { known[$0] }
            if local.channels.contains(leg.uuid) {
                left.append(Left(uuid: leg.uuid, reason: .exists))
            } else if case .impossible(let obstacle) = Recoverability(
                of: leg, partner: partner, serviceAddress: settings.serviceAddress)
            {
                left.append(Left(uuid: leg.uuid, reason: .impossible(obstacle)))
            } else if SIPTag.repaired(leg) == nil {
                // Its re-INVITE would be answered 481.
                left.append(Left(uuid: leg.uuid, reason: .impossible(.noTag)))
            } else if let partner, SIPTag.repaired(partner) == nil {
                left.append(Left(uuid: leg.uuid, reason: .impossible(.halfKnown(partner.uuid))))
            } else if leg.profile != profile {
                left.append(Left(uuid: leg.uuid, reason: .impossible(.otherProfile(leg.profile))))
            } else if let partner {
                if local.channels.contains(partner.uuid) {
                    left.append(Left(uuid: leg.uuid, reason: .impossible(.halfKnown(partner.uuid))))
                } else if leg.uuid < partner.uuid {
                    calls.append(RecoverableCall(legs: originatorFirst(leg, partner)))
                }
            } else {
                calls.append(RecoverableCall(legs: [leg]))
            }
        }
        return (calls, left)
    }

    /// Of two legs one must be the originator: who says so alone, else the inbound one, else the first.
    private static func originatorFirst(_ a: CallLeg, _ b: CallLeg) -> [CallLeg] {
        if a.isOriginator != b.isOriginator { return a.isOriginator ? [a, b] : [b, a] }
        if a.direction != b.direction { return a.direction == .inbound ? [a, b] : [b, a] }
        return [a, b]
    }

    private static func batches(_ calls: [RecoverableCall], _ settings: Settings) -> [[RecoverableCall]] {
        var batches: [[RecoverableCall]] = []
        var batch: [RecoverableCall] = []
        var legs = 0
        for call in calls {
            let limit = batches.isEmpty ? settings.firstBatchLegs : settings.batchLegs
            if !batch.isEmpty, legs + call.legs.count > limit {
                batches.append(batch)
                batch = []
                legs = 0
            }
            batch.append(call)
            legs += call.legs.count
        }
        if !batch.isEmpty { batches.append(batch) }
        return batches
    }
}
