// The JSON keys of members, seats, grants, drains and the audit trail.
//
// They are the format: a property or case that gets another name keeps its key, as in `case newName = "oldName"`.

extension ControlState {
    enum CodingKeys: String, CodingKey {
        case format, clusterID, time, settings, members, slaves, seats, grants, drain, takeovers, fenceEpoch,
            ttl, playbooks, audit, forgotten, givenUp, revoked
    }
}

extension Member {
    enum CodingKeys: String, CodingKey {
        case holder, kind, standing, maintenance, machine, outSince, outBecause, anew
    }
}

extension Member.Standing {
    enum CodingKeys: String, CodingKey { case active, fenced }
    enum FencedCodingKeys: String, CodingKey { case _0, _1 }
}

extension Seat {
    enum CodingKeys: String, CodingKey { case name, address, isLost }
}

extension Grant {
    enum CodingKeys: String, CodingKey {
        case address, holder, epoch, conditions, revoked, reason, isAutomatic
    }
}

extension Grant.Condition {
    enum CodingKeys: String, CodingKey { case inEffect, released }
    enum InEffectCodingKeys: String, CodingKey { case _0 }
    enum ReleasedCodingKeys: String, CodingKey { case by, epoch }
}

extension Fence {
    enum CodingKeys: String, CodingKey { case holder, basis, grants, reason }
}

extension Succession {
    enum CodingKeys: String, CodingKey { case address, to }
}

extension Move {
    enum CodingKeys: String, CodingKey { case address, from, to, reason, isAutomatic }
}

extension Maintenance {
    enum CodingKeys: String, CodingKey { case reason, who, since, until }
}

extension Holder {
    enum CodingKeys: String, CodingKey { case member, incarnation }
}

extension MachineID {
    enum CodingKeys: String, CodingKey { case host, boot }
}

extension ClusterTime {
    enum CodingKeys: String, CodingKey { case nanoseconds }
}

extension Revocation {
    enum CodingKeys: String, CodingKey { case name, at }
}

extension Drain {
    enum CodingKeys: String, CodingKey {
        case seat, from, to, oldAddress, newAddress, phase, deadline, onDeadline, reason, owner, began,
            phaseEpoch, phaseBegan, id, ttl, forgottenAt, returnAfter
    }
}

extension TTLOverride {
    enum CodingKeys: String, CodingKey { case value, since, former, forgottenAt }
}

extension AuditTrail {
    enum CodingKeys: String, CodingKey { case entries, count }
}

extension AuditEntry {
    enum CodingKeys: String, CodingKey { case number, epoch, time, wall, who, what, why, outcome }
}

extension AskedCommand {
    enum CodingKeys: String, CodingKey { case who, what, why, command }
}

extension Admission {
    enum CodingKeys: String, CodingKey { case holder, kind, settingsVersion, machine, anew }
}

extension ReleaseNotice {
    enum CodingKeys: String, CodingKey { case address, holder, epoch }
}

extension Relinquishment {
    enum CodingKeys: String, CodingKey { case holder, reason, leaving, isOrdered }
}
