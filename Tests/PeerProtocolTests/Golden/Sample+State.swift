import Calendar
import Consensus
import Primitives

@testable import Cluster

// Commands, the agreed state, and what carries them.

extension Sample {
    static var commands: [(name: String, value: ControlCommand)] {
        let admission = Admission(
            holder: one, kind: .witness, settingsVersion: 9, machine: machine, anew: "its disk was new")
        let admissionOfBefore = Admission(holder: one, kind: .full, settingsVersion: 9)
        let asked = AskedCommand(who: "ann@ops", what: "forget fs3", why: "it burnt", command: .forget(three))
        return [
            ("admit", .admit(admission)), ("admit-plain", .admit(admissionOfBefore)),
            ("fence-silence", .fence(fence(.silence))), ("fence-lapse", .fence(fence(.lapse))),
            ("fence-reborn", .fence(fence(.reborn))), ("fence-left", .fence(fence(.left))),
            ("fence-plain", .fence(Fence(holder: one, basis: .silence, grants: []))),
            ("grant", .grant(address: "alpha", to: two, reason: "nobody holds it", isAutomatic: true)),
            ("move", .move(move)), ("revoke", .revoke(address: "alpha", from: one, reason: "surplus")),
            ("released", .released(ReleaseNotice(address: "alpha", holder: one, epoch: epoch(12)))),
            ("drain-begin", .drain(.begin(drain()))),
            (
                "drain-advance",
                .drain(.advance(from: .publishing, to: .withdrawing, served: .seconds(90)))
            ),
            ("drain-abort", .drain(.abort(reason: "fs2 failed"))), ("drain-finish", .drain(.finish)),
            ("maintenance", .maintenance(node: "fs1", maintenance)),
            ("maintenance-over", .maintenance(node: "fs1", nil)), ("configure", .configure(settings)),
            ("configure-plain", .configure(plainSettings)), ("ttl", .ttl(.seconds(5))),
            ("ttl-over", .ttl(nil)), ("ttl-served", .ttlServed), ("asked", .asked(asked)),
            ("asked-question", .asked(AskedCommand(who: "", what: "abort", why: "", command: nil))),
            ("forget", .forget(three)), ("revoke-certificates", .revokeCertificates(node: "fs3")),
            ("recover-quorum", .recoverQuorum(lost: [two, three])),
        ] + playbookCommands.map { ("playbook-\($0.name)", .playbook($0.value)) }
    }

    private static var playbookCommands: [(name: String, value: PlaybookCommand)] {
        [
            ("schedule", .schedule(playbook, who: "ann@ops", considered: wall(0))),
            ("unschedule", .unschedule(name: "upgrade", who: "ann@ops")),
            ("consider", .consider(schedule: epoch(30), through: wall(0), reason: "it is too late")),
            ("start", .start(start)), ("start-plain", .start(PlaybookStart(playbook: nil, who: ""))),
            ("begin", .begin(run: epoch(50), step: 2)), ("assign", .assign(step, two)),
            ("drain", .drain(step, drain())), ("rest", .rest(step, three, reason: "to 6.12")),
            ("undrain", .undrain(step)), ("move", .move(step, move)), ("lower-ttl", .lowerTTL(step)),
            ("outcome-done", .outcome(step, outcome(.done("all of it")))),
            ("outcome-done-plain", .outcome(step, outcome(.done(nil)))),
            ("outcome-failed", .outcome(step, outcome(.failed("exited with 1")))),
            ("outcome-unknown", .outcome(step, outcome(.unknown("fs2 failed")))),
            ("approve", .approve(run: epoch(50), step: 2, who: "ann@ops")),
            ("abandon", .abandon(run: epoch(50), reason: "cancelled", undoes: true)),
            ("begin-undo", .beginUndo(run: epoch(50), step: 2)), ("finish", .finish(run: epoch(50))),
        ]
    }

    static func stamped(_ command: ControlCommand) -> StampedCommand {
        StampedCommand(time: time(100), command: command, wall: wall(40))
    }

    static var membership: Membership {
        Membership(voters: [one.member, two.member], learners: [three.member])
    }
}

// MARK: - The agreed state

extension Sample {
    static var states: [(name: String, value: ControlState)] {
        var stopping = ControlState(clusterID: 1, settings: plainSettings)
        stopping.playbooks.run = run(.stopping("cancelled"))
        var running = stopping
        running.playbooks.run = run(.running)
        return [
            ("full", state), ("empty", ControlState(clusterID: 1, settings: plainSettings)),
            ("stopping", stopping), ("running", running),
        ]
    }

    static var state: ControlState {
        var state = ControlState(clusterID: 0xD1D2_D3D4_D5D6_D7D8, settings: settings)
        state.time = time(100)
        state.members = members
        state.slaves = ["fs2", "fs3"]
        state.seats[0].isLost = true
        state.grants = [
            grant("alpha", [.inEffect(12), .released(by: two, epoch: epoch(11))]), grant("beta", []),
        ]
        state.drain = drain()
        state.takeovers = [time(90), time(95)]
        state.fenceEpoch = epoch(12)
        state.ttl = TTLOverride(
            value: .seconds(5), since: time(91), former: .seconds(60), forgottenAt: time(151))
        state.playbooks = book
        state.audit.add(deed)
        state.forgotten = [three.member]
        state.givenUp = [two.member]
        state.revoked = [Revocation(name: "fs3", at: wall(20)), Revocation(name: "fs4", at: nil)]
        return state
    }

    static let deed = AuditEntry(
        epoch: epoch(40), time: time(60), wall: wall(0), who: "ann@ops", what: "drain master1",
        why: "kernel update", outcome: "agreed")

    private static var members: [Member] {
        let standings: [Member.Standing] = [
            .active, .fenced(.silence, epoch(12)), .fenced(.lapse, epoch(13)),
            .fenced(.reborn, epoch(14)), .fenced(.left, epoch(15)),
        ]
        return standings.enumerated().map { place, standing in
            var member = Member(
                holder: Holder(member: MemberID(name: "fs\(place + 1)", birth: 5), incarnation: 1 << 32),
                kind: place == 4 ? .witness : .full, standing: standing,
                maintenance: place == 1 ? maintenance : nil, machine: place == 1 ? machine : nil)
            if standing != .active {
                member.outSince = time(77)
                member.outBecause = "it was given up (recover-quorum)"
            }
            if place == 0 { member.anew = "its disk was new" }
            return member
        }
    }

    private static func grant(_ address: String, _ conditions: [Grant.Condition]) -> Grant {
        var grant = Grant(
            address: address, holder: one, epoch: epoch(12), conditions: conditions,
            revoked: conditions.isEmpty,
            reason: "takeover from fs2")
        if !conditions.isEmpty { grant.isAutomatic = true }
        return grant
    }

    static var snapshot: ControlSnapshot {
        ControlSnapshot(epoch: epoch(60), membership: membership, membershipEpoch: epoch(2), state: state)
    }
}
