import Cluster
import Consensus
import ControlProtocol
import PeerProtocol
import TestSupport

// What nodes and commands say to each other: `Coverage` says what these are for.

extension PeerFrame: CountedCases {
    package enum CaseName: String, CaseIterable {
        case hello, message, unknown
    }
    package var caseName: CaseName {
        switch self {
        case .hello: .hello
        case .message: .message
        case .unknown: .unknown
        }
    }
}

extension PeerMessage: CountedCases {
    package enum CaseName: String, CaseIterable {
        case consensus, admission, released, relinquish, request, response, refused, stepNoticed
    }
    package var caseName: CaseName {
        switch self {
        case .consensus: .consensus
        case .admission: .admission
        case .released: .released
        case .relinquish: .relinquish
        case .request: .request
        case .response: .response
        case .refused: .refused
        case .stepNoticed: .stepNoticed
        }
    }
}

extension Message.Body: CountedCases {
    package enum CaseName: String, CaseIterable {
        case preVoteRequest, preVoteReply, voteRequest, voteReply, append, appendReply, snapshot
        case snapshotReply, timeoutNow
    }
    package var caseName: CaseName {
        switch self {
        case .preVoteRequest: .preVoteRequest
        case .preVoteReply: .preVoteReply
        case .voteRequest: .voteRequest
        case .voteReply: .voteReply
        case .append: .append
        case .appendReply: .appendReply
        case .snapshot: .snapshot
        case .snapshotReply: .snapshotReply
        case .timeoutNow: .timeoutNow
        }
    }
}

extension AppendReply: CountedCases {
    package enum CaseName: String, CaseIterable {
        case accepted, rejected
    }
    package var caseName: CaseName {
        switch self {
        case .accepted: .accepted
        case .rejected: .rejected
        }
    }
}

extension Entry.Payload: CountedCases {
    package enum CaseName: String, CaseIterable {
        case empty, command, membership
    }
    package var caseName: CaseName {
        switch self {
        case .empty: .empty
        case .command: .command
        case .membership: .membership
        }
    }
}

extension OperatorRequest: CountedCases {
    package enum CaseName: String, CaseIterable {
        case status, drain, abortDrain, undrain, switchover, zone, zoneApply, playbook, forget, revoke
        case recoverQuorum, vacate, unknown
    }
    package var caseName: CaseName {
        switch self {
        case .vacate: .vacate
        case .status: .status
        case .drain: .drain
        case .abortDrain: .abortDrain
        case .undrain: .undrain
        case .switchover: .switchover
        case .zone: .zone
        case .zoneApply: .zoneApply
        case .playbook: .playbook
        case .forget: .forget
        case .revoke: .revoke
        case .recoverQuorum: .recoverQuorum
        case .unknown: .unknown
        }
    }
}

extension PlaybookRequest: CountedCases {
    package enum CaseName: String, CaseIterable {
        case run, schedule, unschedule, cancel, approve, list, history, unknown
    }
    package var caseName: CaseName {
        switch self {
        case .run: .run
        case .schedule: .schedule
        case .unschedule: .unschedule
        case .cancel: .cancel
        case .approve: .approve
        case .list: .list
        case .history: .history
        case .unknown: .unknown
        }
    }
}

extension OperatorReply: CountedCases {
    package enum CaseName: String, CaseIterable {
        case status, accepted, plan, refused, zone, unavailable, playbooks
    }
    package var caseName: CaseName {
        switch self {
        case .status: .status
        case .accepted: .accepted
        case .plan: .plan
        case .refused: .refused
        case .zone: .zone
        case .unavailable: .unavailable
        case .playbooks: .playbooks
        }
    }
}

extension StatusReport.SeatLine.State: CountedCases {
    package enum CaseName: String, CaseIterable {
        case active, draining, moving, uncovered
    }
    package var caseName: CaseName {
        switch self {
        case .active: .active
        case .draining: .draining
        case .moving: .moving
        case .uncovered: .uncovered
        }
    }
}

extension StatusReport.SightLine.Verdict: CountedCases {
    package enum CaseName: String, CaseIterable {
        case served, silent, refused
    }
    package var caseName: CaseName {
        switch self {
        case .served: .served
        case .silent: .silent
        case .refused: .refused
        }
    }
}

extension ZoneRecord.Content: CountedCases {
    package enum CaseName: String, CaseIterable {
        case address, srv, txt
    }
    package var caseName: CaseName {
        switch self {
        case .address: .address
        case .srv: .srv
        case .txt: .txt
        }
    }
}

extension ServerReading.Outcome: CountedCases {
    package enum CaseName: String, CaseIterable {
        case read, failed
    }
    package var caseName: CaseName {
        switch self {
        case .read: .read
        case .failed: .failed
        }
    }
}

extension ControlRequest.Body: CountedCases {
    package enum CaseName: String, CaseIterable {
        case ask, rings, events, shared
    }
    package var caseName: CaseName {
        switch self {
        case .ask: .ask
        case .rings: .rings
        case .events: .events
        case .shared: .shared
        }
    }
}

extension ControlResponse: CountedCases {
    package enum CaseName: String, CaseIterable {
        case reply, rings, event, shared, end, failure
    }
    package var caseName: CaseName {
        switch self {
        case .reply: .reply
        case .rings: .rings
        case .event: .event
        case .shared: .shared
        case .end: .end
        case .failure: .failure
        }
    }
}

extension SharedPart: CountedCases {
    package enum CaseName: String, CaseIterable {
        case registrations, calls, limits, recoveries, audit, deeds, deedsFault
    }
    package var caseName: CaseName {
        switch self {
        case .registrations: .registrations
        case .calls: .calls
        case .limits: .limits
        case .recoveries: .recoveries
        case .audit: .audit
        case .deeds: .deeds
        case .deedsFault: .deedsFault
        }
    }
}
