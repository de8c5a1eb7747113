import Consensus
import Primitives

/// What happened: everything a node can learn, in the past tense.
package enum Event: Hashable, Sendable {
    /// `nextDeadline` was reached.
    case tick
    /// A heartbeat was received, opened and decoded.
    case heard(Heartbeat)
    case received(PeerMessage, from: MemberID)
    /// The store request with this sequence number is durable.
    case stored(sequence: UInt64)
    case storeFailed(sequence: UInt64, reason: String)
    /// The new incarnation is durable.
    case incarnationRecorded(UInt64)
    /// The keeper runs and says that it holds none of our addresses.
    case keeperReady
    case keeperHeld(address: String, epoch: Epoch)
    case keeperReleased(address: String, epoch: Epoch, cause: String)
    case keeperFailed(address: String, epoch: Epoch, reason: String)
    /// The keeper died, or stands still and is heard no more. `endsByItself`: what it held is gone `Holdings.afterlife` later,
    /// and at the end of its hold, whatever becomes of that process.
    case keeperLost(endsByItself: Bool)
    /// Another machine says that it has an address that is held here. `hardware` is its Ethernet address as a number.
    case keeperContested(address: String, epoch: Epoch, hardware: UInt64)
    case switchReported(SwitchReport)
    /// What the kernel says about the networks of all service addresses.
    case networkSeen([NetworkSight])
    /// Ways to other nodes that carry nothing while others do.
    case pathsSeen([PathTrouble])
    /// Members with whom a link stands; all of them, whenever that changed.
    case linksSeen([MemberID])
    /// What is wrong with the disk that decisions are written to, else with what starts keepers; nil when nothing is.
    case diskSeen(Blocker?)
    case zoneRead(id: UInt64, [ServerReading])
    case zoneUpdated(id: UInt64, ZoneUpdateOutcome)
    case operatorAsked(id: UInt64, OperatorRequest)
    /// SIGTERM: give up seats gracefully, then stop.
    case shutdownRequested
    /// The wall clock and what it means, about once a second and at once after `Effect.watchCalendar`.
    case calendar(CalendarReading)
    case commandEnded(StepID, CommandResult)
    case checked(StepID, CheckResult)
    /// Nil when it was delivered, otherwise why it was not.
    case notified(StepID, failure: String?)
}

extension Event {
    /// Whether the zone has to be looked at because of it, apart from what was agreed.
    var mayTouchZone: Bool {
        switch self {
        case .zoneRead, .zoneUpdated, .operatorAsked: true
        default: false
        }
    }

    /// Whether an address may have come or gone because of it.
    var mayMoveAddress: Bool {
        switch self {
        case .keeperReady, .keeperHeld, .keeperReleased, .keeperFailed, .keeperLost: true
        default: false
        }
    }
}

/// What to do about it: plain data, executed in order by the service loop.
package enum Effect: Hashable, Sendable {
    case beat(Heartbeat)
    case send(PeerMessage, to: MemberID)
    /// Answered by `.stored` or `.storeFailed`, in order.
    case store(StoreRequest<StampedCommand, ControlState>)
    /// Answered by `.incarnationRecorded`.
    case recordIncarnation(UInt64)
    /// Hold the address until then by the boot-time clock; renewed with every lease. First time answered by
    /// `.keeperHeld` or `.keeperFailed`.
    case hold(ServiceAddress, until: Instant, epoch: Epoch)
    /// Answered by `.keeperReleased`, also when it was not held.
    case release(ServiceAddress, epoch: Epoch)
    /// Tell the network again who has the address.
    case announce(ServiceAddress)
    /// Ask every server of the zone; answered by `.zoneRead`.
    case readZone(id: UInt64, [ZoneQuestion])
    /// Answered by `.zoneUpdated`.
    case updateZone(id: UInt64, ZoneUpdate)
    case answer(id: UInt64, OperatorReply)
    /// How things stand for those who keep calls, registrations and limits; told when it changed.
    case surveyed(Survey)
    case report(ClusterEvent)
    /// The process must end; empty-handed after a shutdown request, with an error otherwise.
    case stop(StopReason)
    /// What the calendar is asked for from now on, in place of what it was asked before.
    case watchCalendar([CalendarQuestion])
    /// Run a program on this machine, once; answered by `.commandEnded`.
    case runCommand(StepID, CommandOrder, PlaybookContext)
    /// End a program that runs; its own answer tells how it ended.
    case stopCommand(StepID)
    /// Look once, within a few seconds; answered by `.checked`.
    case check(StepID, PlaybookCheck, PlaybookContext)
    /// POST it; answered by `.notified`.
    case notify(StepID, url: String, PlaybookContext)
    /// A drill: this node ends at once, as a crash would, without giving up its seats.
    case failNode(StepID)
    /// New in the audit trail, by number without a gap; after a start, all of it that is kept.
    case audited([AuditEntry])
}

package enum StopReason: Hashable, Sendable {
    case shutdown
    /// Another node with this name is alive, storage failed, …: a sentence for the operator.
    case fatal(String)
    /// The state is a copy or out of date: it must be set aside, and the node starts as a new member. The sentence says
    /// why.
    case startAnew(String)
}
