import Primitives
import Replication

/// Which CSeq the re-INVITE of a revived leg carries.
///
/// Stock FreeSWITCH begins every dialog, revived ones too, at half the seconds of its clock, in 27 bits (sofia-sip, nta.c:
/// `nta_msg_request_complete`). That is no higher than what was sent before, which a peer must refuse with 500 (RFC 3261 §12.2.2),
/// when another switch revived the leg in the same two seconds, or sent more than a request in two seconds in that dialog. But it
/// takes the number before the first from a variable, and counts on from there (mod_sofia's sofia_glue.c: `sofia_glue_do_invite`).
///
/// The numbers begin above all that stock FreeSWITCH ever counts from, go up with the wall clock faster than requests in a dialog
/// do, and with each takeover by more than clocks of nodes may differ. So a leg that was revived a moment ago gets a higher one
/// also where the replica does not tell of that yet. Where it does, the clock is not relied on.
package struct RequestSequence: Hashable, Sendable {
    package static let variable = "sip_invite_cseq"

    /// Above 27 bits, and as many requests as no dialog has.
    private static let first: Int64 = 0x0900_0000
    /// Of numbers by clock and takeover; they begin anew after some 300 days. What is above is for the legs of before.
    private static let span: Int64 = 0x6700_0000
    private static let ticksPerSecond: Int64 = 64
    /// For each decision of the cluster: 16 seconds.
    private static let step: Int64 = 1024
    /// What a number by the clock must be above a known one, so that requests were surely fewer.
    private static let distance: Int64 = 512
    /// More requests than a dialog has between two takeovers.
    private static let stride: Int64 = 1 << 16
    /// CSeq numbers must be below 2^31 (RFC 3261 §8.1.1.5), those of later requests too.
    private static let last: Int64 = 0x7FFF_0000

    private let ticks: Int64

    /// FreeSWITCH takes names of variables in whichever case.
    static func isVariable(_ name: String) -> Bool {
        name.utf8.count == variable.utf8.count && name.lowercased() == variable
    }

    private init(ticks: Int64) { self.ticks = ticks }

    /// - Parameters:
    ///   - milliseconds: of the wall clock, since 1970.
    ///   - epoch: the decision that gave the address to this node.
    package init(milliseconds: Int64, epoch: Epoch) {
        let clock = min(max(0, milliseconds), 1 << 50) * Self.ticksPerSecond / 1000
        ticks = clock + Int64(epoch.index & 0xFFFF_FFFF) * Self.step
    }

    package func later(by time: Duration) -> RequestSequence {
        let milliseconds = max(0, time.nanoseconds / 1_000_000)
        return RequestSequence(ticks: ticks + milliseconds * Self.ticksPerSecond / 1000)
    }

    /// What the row of the leg says: its re-INVITE has the next number.
    package func number(for leg: CallLeg) -> UInt32 {
        let byClock = Self.first + ticks % Self.span
        let told = leg.variables.filter { Self.isVariable($0.name) }.compactMap { Int64($0.value) }
        // A dialplan may have set anything; above what is not beyond all bounds the leg began there.
        guard let known = told.filter({ (0...(Self.last - Self.stride)).contains($0) }).max(),
            byClock < known + Self.distance
        else { return UInt32(byClock) }
        return UInt32(known + Self.stride)
    }
}
