import Primitives
import Testing

@testable import Cluster

/// A grant remembers every former holder until it let go or its fence is waited for, whatever becomes of the grant.
@Suite struct GrantMemoryTests {
    /// Who may still have the address, by a plain list beside the state.
    private struct Shadow {
        var waiting: [(holder: Holder, epoch: Epoch)] = []

        mutating func forget(_ holder: Holder) { waiting.removeAll { $0.holder == holder } }
    }

    @Test("after two moves and a fence without a successor both former holders are waited for")
    func chain() throws {
        var five = Five()
        let first = try #require(five.state.grant(of: "alpha")).epoch
        five.apply(move("fs1", "fs4"))
        let second = try #require(five.state.grant(of: "alpha")).epoch
        five.apply(move("fs4", "fs5"))
        five.fence("fs5")
        five.apply(.released(ReleaseNotice(address: "alpha", holder: Five.holder("fs1"), epoch: first)))
        let left = try #require(five.state.grant(of: "alpha"))
        #expect(left.revoked && left.holder == Five.holder("fs4") && left.epoch == second)
        let given = five.apply(
            .grant(address: "alpha", to: Five.holder("fs1"), reason: "empty", isAutomatic: true))
        #expect(given.refusal != nil)
        five.apply(.released(ReleaseNotice(address: "alpha", holder: Five.holder("fs4"), epoch: second)))
        #expect(five.state.grant(of: "alpha") == nil)
    }

    private func move(_ from: String, _ to: String) -> ControlCommand {
        .move(Move(address: "alpha", from: Five.holder(from), to: Five.holder(to), reason: "told"))
    }

    @Test("no sequence of commands makes a grant forget who may still hold", arguments: 0..<8)
    func anySequence(part: UInt64) {
        for seed in part * 250..<(part + 1) * 250 {
            var generator = SeededGenerator(seed: seed)
            var run = Run()
            for step in 0..<80 {
                run.act(using: &generator)
                if let forgotten = run.forgotten {
                    Issue.record("seed \(seed), step \(step): \(forgotten)")
                    return
                }
            }
        }
    }

    private struct Run {
        var five = Five()
        var lives = [String: UInt64]()
        var shadows: [String: Shadow] = [:]
        let names = ["fs1", "fs2", "fs3", "fs4", "fs5"]
        let addresses = ["alpha", "beta", "gamma"]

        init() { noteGrants() }

        func holder(_ name: String) -> Holder { Five.holder(name, lives[name] ?? 1) }

        mutating func act(using generator: inout SeededGenerator) {
            let name = names.randomElement(using: &generator)!
            let address = addresses.randomElement(using: &generator)!
            switch Int.random(in: 0..<10, using: &generator) {
            case 0: fence(name, successor: names.randomElement(using: &generator)!)
            case 1:
                if let member = five.state.member(name), !member.isActive {
                    lives[name] = (lives[name] ?? 1) + 1
                    five.admit(holder(name))
                }
            case 2: five.apply(.grant(address: address, to: holder(name), reason: "", isAutomatic: false))
            case 3, 4:
                guard let grant = five.state.grant(of: address) else { return }
                five.apply(
                    .move(Move(address: address, from: grant.holder, to: holder(name), reason: "")))
            case 5:
                guard let grant = five.state.grant(of: address) else { return }
                five.apply(.revoke(address: address, from: grant.holder, reason: ""))
            default: release(of: address, using: &generator)
            }
            noteGrants()
        }

        private mutating func fence(_ name: String, successor: String) {
            guard five.state.isActive(holder(name)) else { return }
            let lost = five.state.grants.filter { $0.holder == holder(name) }.map(\.address)
            let grants = lost.map { Succession(address: $0, to: holder(successor)) }
            five.apply(.fence(Fence(holder: holder(name), basis: .silence, grants: grants)))
            let fenced = holder(name)
            for address in addresses { shadows[address]?.forget(fenced) }
        }

        /// Somebody who must let go, or is waited for, says that it did; a holder in its right does not.
        private mutating func release(of address: String, using generator: inout SeededGenerator) {
            let right = five.state.grant(of: address).flatMap { $0.revoked ? nil : $0.epoch }
            let owing = (shadows[address]?.waiting ?? []).filter { $0.epoch != right }
            guard let one = owing.randomElement(using: &generator) else { return }
            let notice = ReleaseNotice(address: address, holder: one.holder, epoch: one.epoch)
            guard five.apply(.released(notice)).refusal == nil else { return }
            shadows[address]?.waiting.removeAll { $0.epoch == one.epoch }
        }

        /// Whoever was given an address may take it, from that decision on.
        private mutating func noteGrants() {
            for grant in five.state.grants where !grant.revoked {
                var shadow = shadows[grant.address] ?? Shadow()
                if !shadow.waiting.contains(where: { $0.epoch == grant.epoch }) {
                    shadow.waiting.append((grant.holder, grant.epoch))
                }
                shadows[grant.address] = shadow
            }
        }

        var forgotten: String? {
            for address in addresses {
                let grant = five.state.grant(of: address)
                for one in shadows[address]?.waiting ?? [] {
                    let isHolder = grant?.holder == one.holder && grant?.epoch == one.epoch
                    let isAwaited =
                        grant?.conditions.contains(.released(by: one.holder, epoch: one.epoch)) ?? false
                    if !isHolder, !isAwaited { return "\(address) forgets \(one.holder) @\(one.epoch)" }
                }
            }
            return nil
        }
    }
}
