/// One SIP dialog (RFC 3261 §12) as one of our legs holds it.
struct Dialog: Hashable, Sendable {
    enum Inviting: Hashable, Sendable {
        /// We placed the call.
        case ours
        /// The peer placed it.
        case theirs
    }
    var callID: String
    var inviting: Inviting
    /// Our side's whole From or To, with its tag once there is one.
    var local: String
    var localTag: String
    /// The peer's.
    var remote: String
    var remoteTag: String
    /// Where requests are addressed: the peer's Contact, with its parameters.
    var target: String
    /// Route headers, in order.
    var routes: [String] = []
    var peer: SIPEndpoint
    var localSequence: UInt32
    var remoteSequence: UInt32 = 0
    /// What our Contact header says.
    var contact: String
    /// The ACK of our last INVITE's 2xx, sent again when the 2xx comes again.
    var acknowledgement: [UInt8] = []
    /// The peer's INVITE while it has no final answer of ours.
    var pending: SIPMessage?
    /// Where that INVITE is answered.
    var answerTo: SIPEndpoint
    /// Our 2xx has not been acknowledged: it is sent again at growing intervals.
    var unacknowledged: [UInt8]?
    var branch = ""
    /// A 1xx with a tag, or the first final answer, has told the capabilities.
    var hasAnsweredWithTag = false

    /// What finds the dialog when a request comes in.
    struct Key: Hashable, Sendable {
        var callID: String
        var localTag: String
    }
    var key: Key { Key(callID: callID, localTag: localTag) }
}
