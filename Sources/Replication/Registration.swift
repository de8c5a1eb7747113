import Primitives

/// One phone's registration: all that another node's switch needs to call the phone.
package struct Registration: Hashable, Sendable {
    /// The sofia profile it was made on, which is the name of a service address.
    package var profile: String
    package var user: String
    package var host: String
    /// The whole name-addr with its parameters, as FreeSWITCH keeps it: `"" <sip:1001@192.0.2.7:5060>`.
    package var contact: String
    package var callID: String
    /// `Registered(UDP)`, …: the transport is in the parentheses.
    package var status: String
    package var presenceHosts: String
    package var rpid: String
    package var toUser: String
    package var toHost: String
    package var networkIP: String
    package var networkPort: String
    package var username: String
    package var realm: String
    package var userAgent: String
    package var mwiAccount: String
    /// When it ends, by this machine's boot-time clock; without FreeSWITCH's late margin.
    package var expires: Instant

    package init(
        profile: String, user: String, host: String, contact: String, callID: String, status: String = "",
        presenceHosts: String = "", rpid: String = "", toUser: String = "", toHost: String = "",
        networkIP: String = "", networkPort: String = "", username: String = "", realm: String = "",
        userAgent: String = "", mwiAccount: String = "", expires: Instant
    ) {
        self.profile = profile
        self.user = user
        self.host = host
        self.contact = contact
        self.callID = callID
        self.status = status
        self.presenceHosts = presenceHosts
        self.rpid = rpid
        self.toUser = toUser
        self.toHost = toHost
        self.networkIP = networkIP
        self.networkPort = networkPort
        self.username = username
        self.realm = realm
        self.userAgent = userAgent
        self.mwiAccount = mwiAccount
        self.expires = expires
    }
}
