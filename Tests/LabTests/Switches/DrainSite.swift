import Lab
import Testing

/// A cluster with switches in which drains are begun, watched and undone.
struct DrainSite {
    let site: SwitchCluster
    var lab: Lab { site.lab }
    static let maintenance = "delta"

    init(nodes: Int = 4, _ change: (inout ClusterPlan) -> Void = { _ in }) throws {
        site = try SwitchCluster(nodes: nodes) {
            $0.ttl = "2s"
            change(&$0)
        }
        do { try lab.startZoneWatch() } catch {
            site.close()
            throw error
        }
    }

    func close() { site.close() }

    func ip(_ address: String) -> String {
        address == Self.maintenance ? ClusterPlan.maintenanceAddress : site.ip(address)
    }

    // MARK: How it stands

    /// Where a drain is; nil when there is none.
    func drain() throws -> Status.Maintenance.Drain? { try lab.status(from: site.whole).maintenance.drain }

    func waitFor(phase: String, atMost seconds: Double = 30) throws {
        var last: Status.Maintenance.Drain?
        do {
            try wait(for: "the drain to be \(phase)", atMost: seconds, every: 20) {
                last = try? drain()
                return last?.phase == phase
            }
        } catch {
            throw LabFailure("\(error); it is \(last.map { "\($0)" } ?? "none")\n\(lab.troubles(lines: 15))")
        }
    }

    /// Waits until there is no drain any more and everything else is as it should be.
    @discardableResult
    func waitUntilOver(missing: Int = 0, atMost seconds: Double = 60) throws -> Status {
        do {
            return try lab.waitUntilSettled(missing: missing, from: site.whole, atMost: seconds)
        } catch {
            throw LabFailure("\(error); the drain: \(String(describing: try? drain()))")
        }
    }

    /// The phases of all drains until now, as agreed, in order.
    func phases(by host: Host) throws -> [String] {
        try host.events().filter { $0.kind == "drain-phase" }
            .compactMap { $0.text.split(separator: " ").last.map(String.init) }
    }

    /// Whether the switch refuses new calls, and calls of its own.
    func isRefusing(_ host: Host) throws -> (inbound: Bool, outbound: Bool) {
        let variable = try host.freeswitch.api("global_getvar fsdns_drain")
        let outbound = try host.freeswitch.api("fsctl pause_check outbound")
        return (variable.hasPrefix("true"), outbound.hasPrefix("true"))
    }

    /// What an undone drain must leave as it was.
    struct Picture: Equatable, CustomStringConvertible {
        var seats: [String]
        var free: [String]
        var held: [String]
        var served: [String]
        var refusing: [String]

        var description: String {
            "seats \(seats), free \(free), held \(held), DNS \(served), refusing \(refusing)"
        }
    }

    func picture() throws -> Picture {
        let status = try lab.status(from: site.whole)
        return Picture(
            seats: status.seats.map { "\($0.name) \($0.address)" }, free: status.maintenance.addresses,
            held: try lab.plan.addresses.filter { try lab.holder(of: $0) != nil },
            served: try lab.nameServer.answer(ClusterPlan.serviceName),
            refusing: try site.whole.filter {
                let state = try isRefusing($0)
                return state.inbound || state.outbound
            }.map(\.name))
    }

    func expect(_ before: Picture, sourceLocation: SourceLocation = #_sourceLocation) throws {
        var after = try picture()
        // The switch is told that the drain is over when its node hears of it.
        try? wait(for: "the picture of before", atMost: 5, every: 100) {
            after = try picture()
            return after == before
        }
        #expect(after == before, sourceLocation: sourceLocation)
    }

    // MARK: What callers saw

    /// One call to an address: what came of the INVITE.
    func call(_ address: String) throws -> String {
        let record = try lab.startCalls(to: ip(address), rate: 1, count: 1, seconds: 0.2).waitUntilOver()
        return record.calls.first?.end?.text ?? "nothing"
    }

    /// The address answered OPTIONS without a longer pause than that, and with nothing but 200.
    func checkOptions(
        _ address: String, from start: BootTime, until end: BootTime, within milliseconds: Double = 400,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let seen = lab.answers(to: ip(address)).filter { $0.at >= start && $0.at <= end }
        let good = seen.filter { $0.status == 200 }.map(\.at)
        let silence = zip([start] + good, good + [end]).map { $1.milliseconds(since: $0) }.max() ?? .infinity
        #expect(silence < milliseconds, sourceLocation: sourceLocation)
        #expect(
            seen.allSatisfy { $0.status == 200 || $0.status == 0 }, "\(Set(seen.map(\.status)))",
            sourceLocation: sourceLocation)
        print(
            "OPTIONS at \(address): \(good.count) of \(seen.count) answered, longest silence \(Int(silence)) ms"
        )
    }

    /// DNS named at least so many addresses for the service, all the time.
    func checkZone(atLeast count: Int = 3, sourceLocation: SourceLocation = #_sourceLocation) {
        let history = lab.zoneHistory()
        #expect(!history.isEmpty, sourceLocation: sourceLocation)
        let thin = history.filter { $0.addresses.count < count }
        #expect(thin.isEmpty, "\(thin)", sourceLocation: sourceLocation)
    }

    /// When DNS served the address last, until now.
    func lastServed(_ address: String) -> BootTime? {
        let history = lab.zoneHistory()
        guard let index = history.lastIndex(where: { $0.addresses.contains(ip(address)) }) else { return nil }
        return index + 1 < history.count ? history[index + 1].at : .now
    }
}
