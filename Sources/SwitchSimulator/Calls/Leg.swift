/// One leg of a call as the switch sees it: states, caller profile, variables, and its SIP dialog.
struct Leg: Sendable {
    enum Direction: String, Sendable { case inbound, outbound }
    enum Answer: String, Sendable { case ringing, answered, hangup }

    /// States by FreeSWITCH's names and numbers (switch_types.h: switch_channel_state_t).
    enum State: Int, Sendable {
        case initial = 2
        case routing = 3
        case softExecute = 103
        case execute = 4
        case exchangeMedia = 5
        case park = 6
        case consumeMedia = 7
        case reset = 9
        case hangup = 10
        case reporting = 11

        var name: String {
            switch self {
            case .initial: "CS_INIT"
            case .routing: "CS_ROUTING"
            case .softExecute: "CS_SOFT_EXECUTE"
            case .execute: "CS_EXECUTE"
            case .exchangeMedia: "CS_EXCHANGE_MEDIA"
            case .park: "CS_PARK"
            case .consumeMedia: "CS_CONSUME_MEDIA"
            case .reset: "CS_RESET"
            case .hangup: "CS_HANGUP"
            case .reporting: "CS_REPORTING"
            }
        }
        /// What `Channel-State-Number` shows.
        var number: Int { self == .softExecute ? 3 : rawValue }
    }

    let uuid: String
    let direction: Direction
    /// The sofia profile.
    let profile: String
    /// `sofia/PROFILE/ADDRESS`
    var name: String
    var variables = Variables()
    var caller: CallerProfile
    /// The other leg as this leg's profile remembers it.
    var other: OtherLeg?
    var times = LegTimes()
    var profileIndex = 1
    var transferSource: String?
    var state = State.initial
    /// Overrides the number shown: a channel in CS_INIT that is being revived already shows where it goes.
    var shownNumber: Int?
    /// `DOWN`, `RINGING`, `ACTIVE`, `HELD`, `HANGUP`
    var callState = "DOWN"
    var answer = Answer.ringing
    /// The codec lines appear once media is known.
    var hasCodec = false
    var callUUID: String
    /// The channel's partner in a bridge, or the one it is being bridged to.
    var partner: String?
    var isBridged = false
    /// `limit` keys this channel holds, released at hangup.
    var holds: [LimitHold] = []
    /// What the dialplan is executing.
    var application: Application?
    /// The applications of the matched extension, first to last.
    var plan: [Application] = []
    var extensionName = ""
    /// The application that runs once the caller has acknowledged the answer.
    var nextStep: Int?
    /// Applications that have run, with their stamps.
    var log: [(application: Application, stamp: Timestamp)] = []
    var revival: Revival?
    var revivalAnswer: RevivalAnswer?
    var hangupCause: HangupCause?
    /// `sip_hangup_disposition` once the leg ends.
    var disposition: String?
    /// A row of this channel is in the `recovery` table, or on its way there.
    var isTracked = false
    var dialog: Dialog
    /// What this side says in SDP.
    var media: MediaOffer
    /// Each channel's `unique-id` of its caller profile.
    let profileUUID: String
    /// Only of legs the switch placed: the profile theirs was copied from.
    let originUUID: String?

    var isInbound: Bool { direction == .inbound }

    init(
        uuid: String, direction: Direction, profile: String, name: String, caller: CallerProfile,
        dialog: Dialog, media: MediaOffer, profileUUID: String, originUUID: String? = nil
    ) {
        self.uuid = uuid
        self.direction = direction
        self.profile = profile
        self.name = name
        self.caller = caller
        self.dialog = dialog
        self.media = media
        self.profileUUID = profileUUID
        self.originUUID = originUUID
        callUUID = uuid
    }
}

/// One step of an extension.
struct Application: Hashable, Sendable {
    var name: String
    var data: String
}

/// Why and how a leg is being revived from a recovery row.
struct Revival: Hashable, Sendable {
    /// The row's channel flag 4: this leg puts the bridge together again.
    var isOriginator: Bool
    /// Bridged before: `signal_bond` names the partner.
    var partner: String?
    /// The peer accepted the re-INVITE.
    var isConfirmed = false
}

/// The caller profile: who calls whom (switch_caller.h).
struct CallerProfile: Hashable, Sendable {
    var username = ""
    var dialplan = "XML"
    var callerName = ""
    var callerNumber = ""
    var calleeName = ""
    var calleeNumber = ""
    var networkAddress = ""
    var ani = ""
    var destination = ""
    var uuid = ""
    var source = "mod_sofia"
    var context = "default"
    var channelName = ""
    /// Shown as `Direction` and `Logical-Direction`.
    var direction = Leg.Direction.inbound
    var logicalDirection = Leg.Direction.inbound
}

/// When what happened to a leg, zero when it has not.
struct LegTimes: Hashable, Sendable {
    var profileCreated: Int64 = 0
    var created: Int64 = 0
    var answered: Int64 = 0
    var progress: Int64 = 0
    var progressMedia: Int64 = 0
    var hangup: Int64 = 0
    var transfer: Int64 = 0
    var resurrect: Int64 = 0
    var bridged: Int64 = 0
    var lastHold: Int64 = 0
    var holdTotal: Int64 = 0
}

/// The `Other-Leg-…` block: the partner's profile as it was copied.
struct OtherLeg: Hashable, Sendable {
    enum Kind: String, Sendable { case originator, originatee }
    var kind: Kind
    var profile: CallerProfile
    /// Nil when the profile was read from a recovery row of the calling leg, which has no times for it.
    var times: LegTimes?
}

/// Hangup causes by name and Q.850 number (switch_types.h: switch_call_cause_t), with the SIP status they become.
struct HangupCause: Hashable, Sendable {
    var name: String
    var number: Int

    static let normal = HangupCause(name: "NORMAL_CLEARING", number: 16)
    static let busy = HangupCause(name: "USER_BUSY", number: 17)
    static let noAnswer = HangupCause(name: "NO_USER_RESPONSE", number: 18)
    static let absent = HangupCause(name: "SUBSCRIBER_ABSENT", number: 20)
    static let rejected = HangupCause(name: "CALL_REJECTED", number: 21)
    static let unallocated = HangupCause(name: "UNALLOCATED_NUMBER", number: 1)
    static let temporary = HangupCause(name: "NORMAL_TEMPORARY_FAILURE", number: 41)
    static let stopped = HangupCause(name: "SYSTEM_SHUTDOWN", number: 502)
    static let managed = HangupCause(name: "MANAGER_REQUEST", number: 503)
    static let cancelled = HangupCause(name: "ORIGINATOR_CANCEL", number: 487)
    static let timeout = HangupCause(name: "RECOVERY_ON_TIMER_EXPIRE", number: 102)

    /// By FreeSWITCH's name.
    init?(named name: String) {
        let known: [HangupCause] = [
            .normal, .busy, .noAnswer, .absent, .rejected, .unallocated, .temporary, .managed, .cancelled,
            .timeout, .stopped,
        ]
        guard let cause = known.first(where: { $0.name == name }) else { return nil }
        self = cause
    }

    /// What a failed INVITE's status means (sofia_glue.c: sofia_glue_sip_cause_to_freeswitch).
    init(status: Int) {
        switch status {
        case 404, 410, 604: self = .unallocated
        case 480, 481: self = .noAnswer
        case 486, 600: self = .busy
        case 403, 603: self = .rejected
        case 408: self = .timeout
        case 487: self = .cancelled
        case 200..<300: self = .normal
        default: self = .temporary
        }
    }

    private init(name: String, number: Int) {
        self.name = name
        self.number = number
    }

    /// Causes above 127 are FreeSWITCH's own and read as normal clearing in Q.850.
    var q850: Int { number > 127 ? 16 : number }

    /// The final answer to an INVITE that ends with this cause.
    var status: (code: Int, reason: String) {
        switch self {
        case .unallocated: (404, "Not Found")
        case .busy: (486, "Busy Here")
        case .absent, .noAnswer: (480, "Temporarily Unavailable")
        case .rejected: (603, "Decline")
        case .cancelled: (487, "Request Terminated")
        case .timeout: (504, "Gateway Time-out")
        default: (503, "Service Unavailable")
        }
    }
}
