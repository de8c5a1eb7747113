import Calendar
import Cluster
import TestSupport

// What is agreed on: `Coverage` says what these are for.

extension ControlCommand: CountedCases {
    package enum CaseName: String, CaseIterable {
        case admit, fence, grant, move, revoke, released, drain, maintenance, configure, playbook, ttl
        case ttlServed, asked, forget, revokeCertificates, recoverQuorum, raiseFormat
        case unknown
    }
    package var caseName: CaseName {
        switch self {
        case .admit: .admit
        case .fence: .fence
        case .grant: .grant
        case .move: .move
        case .revoke: .revoke
        case .released: .released
        case .drain: .drain
        case .maintenance: .maintenance
        case .configure: .configure
        case .playbook: .playbook
        case .ttl: .ttl
        case .ttlServed: .ttlServed
        case .asked: .asked
        case .forget: .forget
        case .revokeCertificates: .revokeCertificates
        case .recoverQuorum: .recoverQuorum
        case .raiseFormat: .raiseFormat
        case .unknown: .unknown
        }
    }
}

extension Fence.Basis: CountedCases {
    package enum CaseName: String, CaseIterable {
        case silence, lapse, reborn, left
    }
    package var caseName: CaseName {
        switch self {
        case .silence: .silence
        case .lapse: .lapse
        case .reborn: .reborn
        case .left: .left
        }
    }
}

extension DrainCommand: CountedCases {
    package enum CaseName: String, CaseIterable {
        case begin, advance, abort, finish, unknown
    }
    package var caseName: CaseName {
        switch self {
        case .begin: .begin
        case .advance: .advance
        case .abort: .abort
        case .finish: .finish
        case .unknown: .unknown
        }
    }
}

extension Member.Standing: CountedCases {
    package enum CaseName: String, CaseIterable {
        case active, fenced
    }
    package var caseName: CaseName {
        switch self {
        case .active: .active
        case .fenced: .fenced
        }
    }
}

extension Grant.Condition: CountedCases {
    package enum CaseName: String, CaseIterable {
        case inEffect, released
    }
    package var caseName: CaseName {
        switch self {
        case .inEffect: .inEffect
        case .released: .released
        }
    }
}

extension NodeRule.Kind: CountedCases {
    package enum CaseName: String, CaseIterable {
        case full, witness
    }
    package var caseName: CaseName {
        switch self {
        case .full: .full
        case .witness: .witness
        }
    }
}

extension Policy.NoQuorum: CountedCases {
    package enum CaseName: String, CaseIterable {
        case release, hold
    }
    package var caseName: CaseName {
        switch self {
        case .release: .release
        case .hold: .hold
        }
    }
}

extension Policy.OnExhaustion: CountedCases {
    package enum CaseName: String, CaseIterable {
        case withdraw, keep
    }
    package var caseName: CaseName {
        switch self {
        case .withdraw: .withdraw
        case .keep: .keep
        }
    }
}

extension PlaybookCommand: CountedCases {
    package enum CaseName: String, CaseIterable {
        case schedule, unschedule, consider, start, begin, assign, drain, rest, undrain, move, lowerTTL
        case outcome, approve, abandon, beginUndo, finish, unknown
    }
    package var caseName: CaseName {
        switch self {
        case .schedule: .schedule
        case .unschedule: .unschedule
        case .consider: .consider
        case .start: .start
        case .begin: .begin
        case .assign: .assign
        case .drain: .drain
        case .rest: .rest
        case .undrain: .undrain
        case .move: .move
        case .lowerTTL: .lowerTTL
        case .outcome: .outcome
        case .approve: .approve
        case .abandon: .abandon
        case .beginUndo: .beginUndo
        case .finish: .finish
        case .unknown: .unknown
        }
    }
}

extension StepOutcome.Verdict: CountedCases {
    package enum CaseName: String, CaseIterable {
        case done, failed, unknown
    }
    package var caseName: CaseName {
        switch self {
        case .done: .done
        case .failed: .failed
        case .unknown: .unknown
        }
    }
}

extension PlaybookRun.Phase: CountedCases {
    package enum CaseName: String, CaseIterable {
        case running, undoing, stopping
    }
    package var caseName: CaseName {
        switch self {
        case .running: .running
        case .undoing: .undoing
        case .stopping: .stopping
        }
    }
}

extension RunStep.Condition: CountedCases {
    package enum CaseName: String, CaseIterable {
        case waiting, begun, done, failed, unknown, skipped
    }
    package var caseName: CaseName {
        switch self {
        case .waiting: .waiting
        case .begun: .begun
        case .done: .done
        case .failed: .failed
        case .unknown: .unknown
        case .skipped: .skipped
        }
    }
}

extension RunStep.Undoing: CountedCases {
    package enum CaseName: String, CaseIterable {
        case begun, done, failed
    }
    package var caseName: CaseName {
        switch self {
        case .begun: .begun
        case .done: .done
        case .failed: .failed
        }
    }
}

extension FinishedRun.Outcome: CountedCases {
    package enum CaseName: String, CaseIterable {
        case done, rolledBack, rolledBackPartly, failed, skipped
    }
    package var caseName: CaseName {
        switch self {
        case .done: .done
        case .rolledBack: .rolledBack
        case .rolledBackPartly: .rolledBackPartly
        case .failed: .failed
        case .skipped: .skipped
        }
    }
}

extension PlaybookAction: CountedCases {
    package enum CaseName: String, CaseIterable {
        case drain, undrain, switchover, lowerTTL, wait, run, check, notify, approve, forEach, fail
    }
    package var caseName: CaseName {
        switch self {
        case .drain: .drain
        case .undrain: .undrain
        case .switchover: .switchover
        case .lowerTTL: .lowerTTL
        case .wait: .wait
        case .run: .run
        case .check: .check
        case .notify: .notify
        case .approve: .approve
        case .forEach: .forEach
        case .fail: .fail
        }
    }
}

extension PlaybookCheck: CountedCases {
    package enum CaseName: String, CaseIterable {
        case options, tcp, http, command, callsBelow, registrationsConverged, zoneConverged, headroom
    }
    package var caseName: CaseName {
        switch self {
        case .options: .options
        case .tcp: .tcp
        case .http: .http
        case .command: .command
        case .callsBelow: .callsBelow
        case .registrationsConverged: .registrationsConverged
        case .zoneConverged: .zoneConverged
        case .headroom: .headroom
        }
    }
}

extension PlaybookNotice: CountedCases {
    package enum CaseName: String, CaseIterable {
        case command, webhook
    }
    package var caseName: CaseName {
        switch self {
        case .command: .command
        case .webhook: .webhook
        }
    }
}

extension PlaybookItems: CountedCases {
    package enum CaseName: String, CaseIterable {
        case seats, nodes, named
    }
    package var caseName: CaseName {
        switch self {
        case .seats: .seats
        case .nodes: .nodes
        case .named: .named
        }
    }
}

extension PlaybookSchedule: CountedCases {
    package enum CaseName: String, CaseIterable {
        case cron, once
    }
    package var caseName: CaseName {
        switch self {
        case .cron: .cron
        case .once: .once
        }
    }
}

extension StepNotice.Body: CountedCases {
    package enum CaseName: String, CaseIterable {
        case ended, checked
    }
    package var caseName: CaseName {
        switch self {
        case .ended: .ended
        case .checked: .checked
        }
    }
}
