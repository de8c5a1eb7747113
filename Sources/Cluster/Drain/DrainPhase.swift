import Primitives

// The phases of a drain. What holds in each stands in `rules`, and nowhere else.
//
//   raising ▶ publishing ▶ withdrawing ▶ forgetting ▶ movingRegistrations ▶ waitingForCalls ▶ rotating ▶ (over)
//      │           │            │            │                 │              │         │        ▲
//      │ undo      └────────────┴─────┬──────┼─────────────────┼──────────────┤         │        │
//      ▼                         undo │      └──────────┬──────┴──────────────┘         ▼        │
//   (over)                            ▼                 ▼ deadline, or a switch      hangingUp ──┤
//                                 restoring        handingOver ▶ lingering ──────────────────────┘
//                                     ▼
//                                 retreating ▶ emptying ▶ aborting ▶ (over)

extension Drain.Phase {
    /// What holds in one phase.
    package struct Rule: Hashable, Sendable {
        /// The phase that comes when this one is done; nil ends the drain.
        package var next: Drain.Phase?
        /// How long the phase may wait for machines, not for calls; nil where waiting is right.
        package var timeout: Duration?
        package var onTimeout = Exit.wait
        /// What a deadline that has passed leads to, by what the operator wanted then.
        package var onDeadline: [Drain.OnDeadline: Exit] = [:]
        package var undo: Undo
        /// The addresses of the seat that DNS serves, or is to serve.
        package var dns: [Address]
        /// The address that is no seat's and may carry calls.
        package var leftCalls: Address?
        /// What the switch at the address that is emptied is told.
        package var order: Order?
        /// What happens when the drained node, or the taker, wants to be rid of its address.
        package var onDrainedAsks = Exit.wait
        package var onTakerAsks = Exit.wait
        package var ifDrainedLost: Loss
        package var ifTakerLost: Loss
    }

    package enum Exit: Hashable, Sendable {
        case wait
        case abort
        case go(Drain.Phase)
    }

    /// Which of the two addresses.
    package enum Address: Hashable, Sendable { case old, new }

    package enum Undo: Hashable, Sendable {
        /// Nobody was told of the new address: it is let go of at once.
        case letGo
        /// DNS goes the way back first.
        case restore
        /// The old address or its calls were given up.
        case impossible
        case isUnderWay
    }

    /// For the switch of the drained node; while a drain is undone, for the taker's.
    package struct Order: Hashable, Sendable {
        package var refusesCalls = true
        package var movesRegistrations = false
        package var hangsUp = false
        /// Only when nobody who honours TTLs comes to the address any more.
        package var isOnceForgotten = false
    }

    /// What becomes of the drain when a node that takes part in it is fenced.
    package enum Loss: Hashable, Sendable {
        /// Whoever follows the node, if anybody does, takes its part; the drain goes on.
        case goOn
        /// The same; with nobody to follow, the drain is over.
        case followOrEnd
        /// Whoever follows the drained node has its calls until they end; with nobody, the drain is over.
        case linger
        /// Over as soon as the old address is let go of.
        case endWhenReleased
        /// Whoever follows has the seat, and DNS goes the way back; with nobody, the taker has it.
        case restore
        case end
    }

    package static let rules: [Drain.Phase: Rule] = [
        .raising: Rule(
            next: .publishing, timeout: .seconds(60), onTimeout: .abort, undo: .letGo, dns: [.old],
            onDrainedAsks: .abort, onTakerAsks: .abort, ifDrainedLost: .end, ifTakerLost: .followOrEnd),
        .publishing: Rule(
            next: .withdrawing, timeout: .seconds(60), onTimeout: .abort, undo: .restore, dns: [.old, .new],
            leftCalls: .new, onDrainedAsks: .abort, onTakerAsks: .abort, ifDrainedLost: .restore,
            ifTakerLost: .followOrEnd),
        // DNS may serve the old address still: whoever takes it then has a seat there, as any other.
        .withdrawing: Rule(
            next: .forgetting, timeout: .seconds(120), onTimeout: .abort, undo: .restore, dns: [.new],
            leftCalls: .old, onDrainedAsks: .abort, ifDrainedLost: .linger, ifTakerLost: .followOrEnd),
        // Whoever still remembers the old address finds it at its new holder.
        .forgetting: Rule(
            next: .movingRegistrations, onDeadline: [.handover: .go(.handingOver)], undo: .restore,
            dns: [.new],
            leftCalls: .old, onDrainedAsks: .go(.handingOver), ifDrainedLost: .linger,
            ifTakerLost: .followOrEnd),
        .movingRegistrations: Rule(
            next: .waitingForCalls, timeout: .seconds(600), onTimeout: .go(.waitingForCalls),
            onDeadline: Dictionary(
                uniqueKeysWithValues: Drain.OnDeadline.allCases.map { ($0, .go(.waitingForCalls)) }),
            undo: .restore, dns: [.new], leftCalls: .old,
            order: Order(refusesCalls: false, movesRegistrations: true), onDrainedAsks: .go(.handingOver),
            ifDrainedLost: .linger, ifTakerLost: .followOrEnd),
        .waitingForCalls: Rule(
            next: .rotating,
            onDeadline: [.abort: .abort, .handover: .go(.handingOver), .hangup: .go(.hangingUp)],
            undo: .restore, dns: [.new], leftCalls: .old, order: Order(), onDrainedAsks: .go(.handingOver),
            ifDrainedLost: .linger, ifTakerLost: .followOrEnd),
        .hangingUp: Rule(
            next: .rotating, timeout: .seconds(15), onTimeout: .go(.rotating), undo: .impossible, dns: [.new],
            leftCalls: .old, order: Order(hangsUp: true), ifDrainedLost: .linger, ifTakerLost: .goOn),
        .handingOver: Rule(
            next: .lingering, undo: .impossible, dns: [.new], leftCalls: .old,
            order: Order(isOnceForgotten: true), ifDrainedLost: .goOn, ifTakerLost: .goOn),
        .lingering: Rule(
            next: .rotating, undo: .impossible, dns: [.new], leftCalls: .old, ifDrainedLost: .goOn,
            ifTakerLost: .goOn),
        .rotating: Rule(
            undo: .impossible, dns: [.new], order: Order(), ifDrainedLost: .endWhenReleased,
            ifTakerLost: .goOn),
        .restoring: Rule(
            next: .retreating, undo: .isUnderWay, dns: [.old, .new], leftCalls: .new,
            ifDrainedLost: .followOrEnd,
            ifTakerLost: .followOrEnd),
        .retreating: Rule(
            next: .emptying, undo: .isUnderWay, dns: [.old], leftCalls: .new, ifDrainedLost: .followOrEnd,
            ifTakerLost: .followOrEnd),
        // Nothing else is on it: whoever still comes when it should be forgotten is refused, phones that had moved are told to
        // come back, and the undoing ends.
        .emptying: Rule(
            next: .aborting, undo: .isUnderWay, dns: [.old], leftCalls: .new,
            order: Order(movesRegistrations: true, isOnceForgotten: true), ifDrainedLost: .followOrEnd,
            ifTakerLost: .followOrEnd),
        .aborting: Rule(
            undo: .isUnderWay, dns: [.old], order: Order(isOnceForgotten: true), ifDrainedLost: .followOrEnd,
            ifTakerLost: .end),
    ]

    package var rule: Rule {
        guard let rule = Self.rules[self] else { preconditionFailure("\(rawValue) has no rule") }
        return rule
    }

    /// Which phases may come next, but for the undoing.
    func follows(_ earlier: Drain.Phase) -> Bool {
        let rule = earlier.rule
        return rule.next == self
            || [rule.onTimeout, rule.onDrainedAsks, rule.onTakerAsks].contains(.go(self))
            || rule.onDeadline.values.contains(.go(self))
    }

    package var isUndoing: Bool { rule.undo == .isUnderWay }

    /// Whether the drain can still be undone.
    package var canBeUndone: Bool { rule.undo == .letGo || rule.undo == .restore }

    /// Whether the new address is no seat's, and calls may be on it.
    var hasNewCalls: Bool { rule.leftCalls == .new }

    /// Whether DNS serves both addresses.
    var servesBoth: Bool { rule.dns.count == 2 }
}
