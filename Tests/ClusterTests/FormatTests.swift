import Consensus
import Primitives
import Testing

@testable import Cluster

/// Which format of commands and state a cluster of two releases agrees on, and who is not taken in.
@Suite("Agreed formats") struct FormatTests {
    private func formed(old: [Int], timing: Timing = Timing(discovery: .milliseconds(500))) -> Stage {
        let releases = Dictionary(uniqueKeysWithValues: old.map { ($0, ReleaseInfo.unannounced) })
        var stage = Stage(3, prefer: 0, timing: timing, seed: 4, releases: releases)
        let isFormed = stage.run(.seconds(20), until: isWhole)
        #expect(isFormed)
        return stage
    }

    private func isWhole(_ stage: Stage) -> Bool {
        stage.leader.flatMap { stage.state($0) }?.members.count(where: \.isActive) == 3
    }

    private func formats(_ stage: Stage) -> [Int] {
        stage.machines.indices.compactMap { stage.state($0)?.format }
    }

    private func restart(_ i: Int, with release: ReleaseInfo, _ stage: inout Stage) {
        stage.crash(i)
        stage.releases[i] = release
        stage.start(i)
    }

    // MARK: - Agreeing

    @Test(
        "a cluster begins with the newest format that all its founders read",
        arguments: [[], [2], [0, 1, 2]])
    func founding(old: [Int]) {
        var stage = formed(old: old)
        stage.run(.seconds(30))
        let format = old.isEmpty ? 2 : 1
        #expect(formats(stage) == [format, format, format])
        #expect(stage.reports.allSatisfy { !$0.event.text.contains("is agreed on") })
    }

    @Test(
        "a founder that comes back with a later release after the format was raised begins with nothing of its own"
    )
    func lateFounder() throws {
        var stage = Stage(3, prefer: 0, seed: 4, releases: [2: .unannounced])
        // Its founding is not on its disk yet when it crashes.
        stage.machines[2].diskDelay = .seconds(1)
        let isFormed = stage.run(.seconds(20)) { stage in
            (stage.state(0) != nil || stage.state(1) != nil) && stage.state(2) == nil
        }
        try #require(isFormed)
        stage.crash(2)
        stage.machines[2].diskDelay = stage.machines[0].diskDelay
        let isRaised = stage.run(.seconds(40)) { formats($0) == [2, 2] }
        #expect(isRaised)
        restart(2, with: .current, &stage)
        let isBack = stage.run(.seconds(40), until: isWhole)
        #expect(isBack)
        stage.run(.seconds(1))
        #expect(!stage.reports.contains { $0.by == 2 && $0.event.kind == .clusterFormed })
        let isSame = stage.state(0) == stage.state(2)
        #expect(isSame)
    }

    @Test("the format is raised ten seconds after the last member reads the next one, on every node and once")
    func raising() {
        var stage = formed(old: [0, 1, 2])
        for i in 0..<3 {
            #expect(formats(stage) == [1, 1, 1])
            stage.crash(i)
            stage.run(.seconds(1))
            stage.releases[i] = .current
            stage.start(i)
            stage.run(.milliseconds(100))
            let isBack = stage.run(.seconds(20), until: isWhole)
            #expect(isBack)
        }
        let since = stage.now
        let isRaised = stage.run(.seconds(20)) { formats($0) == [2, 2, 2] }
        #expect(isRaised)
        let waited = stage.now - since
        #expect(waited > .seconds(8) && waited < .seconds(13), "\(waited)")
        let told = stage.reports.filter { $0.event.text.contains("format 2 is agreed on") }
        #expect(Set(told.map(\.by)).count == 3 && Set(told.map(\.event)).count == 1)
        #expect(stage.unreadable == [] && stage.violations == [])
    }

    @Test("a restart with the former release begins the ten seconds anew")
    func patience() {
        var stage = formed(old: [2])
        restart(2, with: .current, &stage)
        stage.run(.seconds(8))
        restart(2, with: .unannounced, &stage)
        stage.run(.seconds(30))
        #expect(formats(stage) == [1, 1, 1])
        #expect(stage.unreadable == [])
    }

    @Test("only the next format is raised to") func steps() {
        var state = ControlState(
            clusterID: 1,
            settings: ClusterSettings(cluster: "stage", expect: 1, addresses: [], seats: [], version: 1))
        func refusal(_ next: Int) -> String? {
            let stamped = StampedCommand(time: .zero, command: .raiseFormat(to: next))
            return state.apply(stamped, at: Epoch(term: 1, index: 2)).refusal
        }
        for odd in [1, 3, 0, .min, .max] { #expect(refusal(odd) != nil) }
        #expect(state.format == 1)
        #expect(refusal(2) == nil)
        #expect(state.format == 2)
    }

    @Test("a leader proposes nothing that is newer than what is agreed on") func proposing() throws {
        let stage = formed(old: [2])
        let leader = try #require(stage.leader)
        var node = try #require(stage.machines[leader].node)
        let view = try #require(node.view(at: stage.now))
        #expect(view.formatRefusal(of: .ttlServed, in: view.state) == nil)
        let refusal = try #require(view.formatRefusal(of: .unknown("ofLater"), in: view.state))
        #expect(refusal.hasPrefix("the cluster has agreed on format 1, and this needs format"))
        let before = node.raft.lastIndex
        let epoch = node.propose(.unknown("ofLater"), at: stage.now)
        #expect(epoch == nil)
        #expect(node.raft.lastIndex == before)
    }

    // MARK: - Whom it shuts out

    @Test("a node with an earlier release and a new state is refused with the release to install")
    func joining() {
        var stage = formed(old: [])
        stage.crash(1)
        stage.machines[1].disk = StageDisk()
        stage.machines[1].birth += 100
        stage.machines[1].incarnation = 0
        stage.machines[1].formerMachine = .unknown
        stage.releases[1] = .unannounced
        stage.start(1)
        let isRefused = stage.run(.seconds(20)) { $0.machines[1].stopped != nil }
        #expect(isRefused)
        #expect(
            stage.machines[1].stopped
                == .fatal(
                    "the cluster has agreed on format 2, and its release reads 1 at most: install fsdns 0.1.0 or a later "
                        + "release on fs1, then start it again"))
        #expect(stage.unreadable == [])
        stage.releases[1] = .current
        stage.start(1)
        let isBack = stage.run(.seconds(40)) { formats($0) == [2, 2, 2] }
        #expect(isBack)
    }

    @Test(
        "a node that was down with an earlier release while the format was raised is refused, and status says why"
    )
    func returning() throws {
        var stage = formed(old: [2])
        stage.crash(2)
        let isRaised = stage.run(.seconds(30)) { formats($0) == [2, 2] }
        #expect(isRaised)
        stage.start(2)
        let isRefused = stage.run(.seconds(20)) { $0.machines[2].stopped != nil }
        #expect(isRefused)
        #expect(stage.unreadable == [])
        let leader = try #require(stage.leader)
        let told = stage.reports.filter {
            $0.event.text.hasPrefix("fs2 is not taken in: the cluster has agreed")
        }
        #expect(told.map(\.by) == [leader])
        let report = try #require(stage.machines[leader].node).statusReport(at: stage.now)
        #expect(report.format == 2)
        #expect(report.nodes.map(\.newestFormat) == [2, 2, 1])
        #expect(
            report.warnings.contains {
                $0.hasPrefix("fs2 is not taken in:") && $0.contains("install fsdns 0.1.0")
            })
    }

    @Test("a node that finds a format in its own state that it cannot read ends with what to do")
    func downgraded() {
        var stage = formed(old: [])
        stage.run(.seconds(1))
        stage.crash(1)
        let before = stage.machines[1].disk.restored
        stage.releases[1] = .unannounced
        stage.start(1)
        stage.run(.seconds(1))
        guard case .fatal(let reason) = stage.machines[1].stopped else {
            Issue.record("\(String(describing: stage.machines[1].stopped))")
            return
        }
        #expect(reason.hasPrefix("the cluster has agreed on format 2, and this fsdns"))
        #expect(reason.contains("the state here is kept as it is. Install the release"))
        let after = stage.machines[1].disk.restored
        let isSame = after.snapshot == before.snapshot && after.entries == before.entries
        #expect(isSame)
    }

    @Test("who keeps the next format waiting for long is told, with what to do") func waiting() throws {
        let slow = Timing(
            interval: .milliseconds(250), lease: .milliseconds(1500), deadAfter: .seconds(2),
            discovery: .milliseconds(500))
        var stage = formed(old: [0], timing: slow)
        func warning(_ stage: Stage) -> String? {
            let leader = stage.leader.flatMap { stage.machines[$0].node }
            return leader?.statusReport(at: stage.now).warnings.first { $0.hasPrefix("format 2 ") }
        }
        stage.run(.seconds(60))
        #expect(warning(stage) == nil)
        try #require(stage.leader != 0)
        stage.run(.seconds(300))
        #expect(
            warning(stage)
                == "format 2 waits for fs0, as its release reads format 1 at most: install fsdns 0.1.0 there; a node that is "
                + "gone for good: fsdns forget NODE")
    }

    // MARK: - What only a later release knows

    @Test("a decision of a kind that this release does not know is told once, and the node goes on")
    func unknown() {
        let me = MemberID(name: "fs1", birth: 1)
        let settings = ClusterSettings(cluster: "stage", expect: 1, addresses: [], seats: [], version: 1)
        var restored = Raft<StampedCommand, ControlState>.Restored.founding(
            Membership(voters: [me]), state: ControlState(clusterID: 1, settings: settings, format: 2))
        restored.entries = [2, 3].map { index in
            ControlEntry(
                term: 1, index: index,
                payload: .command(StampedCommand(time: .zero, command: .unknown("ofLater"))))
        }
        var now = Instant.zero
        var node = Node(
            name: "fs1", birth: 1, incarnation: 1 << 32, kind: .full, settings: settings, restored: restored,
            seed: 1, at: now)
        var told: [String] = []
        var events: [Event] = []
        while now < .zero + .seconds(10) {
            events.append(.tick)
            while !events.isEmpty {
                for effect in node.handle(events.removeFirst(), at: now) {
                    if case .store(let request) = effect {
                        events.append(.stored(sequence: request.sequence))
                    }
                    if case .report(let event) = effect, event.kind == .trouble { told.append(event.text) }
                }
            }
            now += .milliseconds(25)
        }
        #expect(node.appliedIndex >= 3)
        #expect(
            told.count { $0.hasPrefix("“ofLater” was agreed on, which this release does not know") } == 1)
    }

    @Test("a request of a kind that a node does not know is answered with that") func request() throws {
        var stage = formed(old: [])
        let leader = try #require(stage.leader)
        for place in [leader, (leader + 1) % 3] {
            let reply = stage.ask(place, .unknown("ofLater"))
            guard case .refused(let reasons) = reply else {
                Issue.record("\(String(describing: reply))")
                return
            }
            #expect(reasons.first?.contains("does not know the request “ofLater”") == true)
        }
    }
}
