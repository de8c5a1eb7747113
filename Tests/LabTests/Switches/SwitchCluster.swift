import Lab
import Testing

/// A cluster with a switch on every machine, the calls and phones it has, and what must be true of them.
struct SwitchCluster {
    let lab: Lab
    let cluster: RunningCluster
    static let addressNames = ["alpha", "beta", "gamma"]
    static let seats = ["master1", "master2", "master3"]

    /// Legs by the address they live on.
    typealias Calls = [String: Set<String>]

    /// `change` may say more about the plan. Returns once every node finds its switch healthy.
    init(nodes: Int = 5, _ change: (inout ClusterPlan) -> Void = { _ in }) throws {
        var plan = ClusterPlan()
        plan.nodes = nodes
        plan.switches = true
        change(&plan)
        lab = try Lab(plan)
        do {
            cluster = try RunningCluster(lab)
            try waitUntilHealthy(lab.hosts)
        } catch {
            let troubles = lab.troubles()
            lab.close()
            throw LabFailure("\(error)\n\(troubles)")
        }
    }

    /// Closes the lab; a test that failed shows the ends of all logs.
    func close() { lab.close() }

    func waitUntilHealthy(_ hosts: [Host]) throws {
        try wait(for: "healthy switches", atMost: 30, every: 100) {
            let status = try lab.status()
            return hosts.allSatisfy { status.node($0.name)?.freeswitch == "healthy" }
        }
    }

    /// The host that has the address of a name now.
    func host(of address: String) throws -> Host {
        guard let index = Self.addressNames.firstIndex(of: address) else { throw LabFailure("no \(address)") }
        return try cluster.holder(of: Self.seats[index])
    }

    func ip(_ address: String) -> String {
        lab.plan.addresses[Self.addressNames.firstIndex(of: address) ?? 0]
    }

    var powered: [Host] { lab.hosts.filter { $0.machine.isPowered } }
    /// Hosts with a node service and a switch.
    var whole: [Host] {
        powered.filter { host in host.servicePid != nil && (try? host.freeswitch.pid) != .some(nil) }
    }

    // MARK: Calls

    /// Places so many calls on each address and waits until every node knows all of them as recoverable, besides one.
    func place(
        _ count: Int, on addresses: [String] = addressNames, unknownTo deaf: Host? = nil
    ) throws -> Calls {
        for address in addresses {
            let freeswitch = try host(of: address).freeswitch
            // A pace at which five switches on two processors still answer all else at once.
            try freeswitch.api("simulator load rate 15")
            try freeswitch.api("simulator load bridged \(count) \(address)")
        }
        for address in addresses {
            let freeswitch = try host(of: address).freeswitch
            try wait(for: "\(count) calls on \(address)", atMost: 60, every: 100) {
                try freeswitch.channelCount() == 2 * count
            }
            try freeswitch.api("simulator load stop")
        }
        let hearing = whole.filter { $0 !== deaf }
        for host in hearing {
            try wait(for: "\(host.name) to know all calls as recoverable", atMost: 30, every: 200) {
                try host.calls().count { $0.isRevivable && $0.legs.count == 2 } == count * addresses.count
            }
        }
        var calls: Calls = [:]
        for line in try hearing[0].calls() { calls[line.address, default: []].formUnion(line.legs) }
        return calls
    }

    /// Every leg lives exactly once, where its address is, and every node says so.
    func check(_ calls: Calls, sourceLocation: SourceLocation = #_sourceLocation) throws {
        var owners: [String: String] = [:]
        for address in calls.keys.sorted() { owners[address] = try host(of: address).name }
        for host in whole {
            let channels = try host.freeswitch.channels()
            let expected = calls.filter { owners[$0.key] == host.name }.values.reduce(into: Set()) {
                $0.formUnion($1)
            }
            let found = channels.map(\.uuid)
            #expect(
                Set(found).count == found.count && found.count == expected.count,
                "\(host.name) has \(found.count) channels instead of \(expected.count)",
                sourceLocation: sourceLocation)
            #expect(Set(found).subtracting(expected).isEmpty, sourceLocation: sourceLocation)
            #expect(expected.subtracting(found).isEmpty, sourceLocation: sourceLocation)
        }
        for host in whole {
            try waitUntilKnown(calls, owners, by: host)
        }
    }

    private func waitUntilKnown(_ calls: Calls, _ owners: [String: String], by host: Host) throws {
        var last = ""
        do {
            try wait(for: "\(host.name) to know the calls", atMost: 10, every: 200) {
                let lines = try host.calls()
                var known: Calls = [:]
                for line in lines { known[line.address, default: []].formUnion(line.legs) }
                let doubtful = lines.filter { !$0.isRevivable || $0.node != owners[$0.address] }
                last = "\(known.mapValues(\.count)), doubtful: \(doubtful.prefix(3))"
                return known == calls && doubtful.isEmpty
            }
        } catch {
            throw LabFailure("\(error): \(last), not \(calls.mapValues(\.count))")
        }
    }

    /// Waits until all legs of an address are channels of the host that has it; returns when that was.
    @discardableResult
    func waitUntilBack(_ calls: Calls, _ address: String, on host: Host, atMost seconds: Double = 30) throws
        -> BootTime
    {
        let wanted = calls[address]?.count ?? 0
        var count = 0
        do {
            try wait(for: "the calls of \(address) on \(host.name)", atMost: seconds, every: 50) {
                count = try host.freeswitch.channels().count { $0.profile == address }
                return count >= wanted
            }
        } catch {
            throw LabFailure("\(error): \(count) of \(wanted) legs\n\(lab.troubles(lines: 20))")
        }
        return .now
    }

    // MARK: Moves

    /// The seat's next holder, once all seats are active again.
    func waitForMove(of address: String, from old: Host, missing: Int) throws -> Host {
        let asked = whole.filter { $0 !== old }
        try wait(for: "\(address) to leave \(old.name)", atMost: 15, every: 20) {
            try lab.status(from: asked).seats.first { $0.address == ip(address) }?.holder != old.name
        }
        try lab.waitUntilSettled(missing: missing, from: asked)
        return try host(of: address)
    }

    /// Says on standard output how long what was measured took.
    func tell(_ what: String, _ address: String, since moment: BootTime, on host: Host, back: BootTime) throws
    {
        let history = try lab.addressHistory()
        guard let added = history.firstAdd(of: ip(address), after: moment) else {
            throw LabFailure("\(address) was never added to \(host.name)")
        }
        let said = try host.history().last { $0.address == address && $0.node == host.name }
        let up = Int(added.at.milliseconds(since: moment))
        let seen = Int(back.milliseconds(since: added.at))
        print(
            "\(what): \(address) up on \(host.name) after \(up) ms, all calls back \(seen) ms later; "
                + (said.map { "told: \($0.recovered) of \($0.legs) legs in \($0.milliseconds) ms" }
                    ?? "nothing told"))
    }

    /// The newest recovery of the address lost nothing.
    func checkHistory(
        _ address: String, by host: Host, legs: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        try wait(for: "\(host.name) to tell of \(address)", atMost: 10, every: 100) {
            try host.history().contains { $0.address == address && $0.node == host.name && $0.legs == legs }
        }
        let line = try host.history().last { $0.address == address && $0.node == host.name }
        #expect(line?.recovered == legs, sourceLocation: sourceLocation)
        #expect(line?.lost.map(\.reason) == [], sourceLocation: sourceLocation)
    }

    // MARK: Phones

    /// Registers so many phones at each address, from the client's machine with sipp.
    ///
    /// - Parameter makes: what the phones say they are, one after the other.
    func register(
        _ count: Int, at addresses: [String] = addressNames, perSecond: Int = 70, makes: [String] = ["sipp"]
    ) throws {
        let folder = lab.client.directory
        try lab.client.put(Phones.registration, in: "register.xml")
        let runs = try addresses.enumerated().map { index, address in
            let users = (0..<count).map { "\(address)-\($0);\(makes[$0 % makes.count])" }
                .joined(separator: "\n")
            try lab.client.put("SEQUENTIAL\n" + users + "\n", in: "users-\(address).csv")
            return try lab.client.start(
                [
                    "timeout", "90", "sipp", ip(address) + ":5060", "-i", lab.client.addresses[0], "-p",
                    "\(Phones.port(address))", "-sf", folder + "/register.xml", "-inf",
                    folder + "/users-\(address).csv", "-m", "\(count)", "-r", "\(perSecond)", "-l",
                    "\(perSecond)", "-nostdin", "-trace_err", "-error_file",
                    folder + "/sipp-\(index).errors",
                ], outputFile: "sipp-\(index).log", errorsFile: "sipp-\(index).log")
        }
        for (index, run) in runs.enumerated() where lab.client.exitStatus(of: run) != 0 {
            throw LabFailure(
                "phones of \(addresses[index]) could not register: "
                    + lab.client.text(of: "sipp-\(index).errors").suffix(2000))
        }
    }

    /// Waits until every node knows all phones where they are, and every switch can call them.
    func waitForPhones(_ count: Int, at addresses: [String] = addressNames, atMost seconds: Double = 60)
        throws
    {
        var owners: [String: String] = [:]
        for address in addresses { owners[address] = try host(of: address).name }
        for host in whole {
            var last = ""
            do {
                try wait(for: "\(host.name) to know all phones", atMost: seconds, every: 300) {
                    let lines = try host.registrations()
                    let strayed = lines.filter { $0.node != owners[$0.address] }
                    last = "\(lines.count) known, astray: \(strayed.prefix(2))"
                    return lines.count == count * addresses.count && strayed.isEmpty
                }
                for address in addresses {
                    try wait(for: "phones in the switch of \(host.name)", atMost: seconds, every: 500) {
                        let text = try host.freeswitch.api("sofia xmlstatus profile \(address) reg")
                        let found =
                            text.split(separator: "<registration>", omittingEmptySubsequences: false).count
                            - 1
                        last = "\(found) of \(address) in the switch"
                        return found == count
                    }
                }
            } catch {
                throw LabFailure("\(error): \(last)\n\(lab.troubles())")
            }
        }
    }
}

/// What sipp plays.
enum Phones {
    /// Of the phones of an address.
    static func port(_ address: String) -> Int {
        5090 + (SwitchCluster.addressNames.firstIndex(of: address) ?? 0)
    }

    static let registration = """
        <?xml version="1.0" encoding="UTF-8"?>
        <scenario name="register">
          <send retrans="1500"><![CDATA[
            REGISTER sip:[remote_ip] SIP/2.0
            Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
            Max-Forwards: 70
            From: <sip:[field0]@[remote_ip]>;tag=[call_number]
            To: <sip:[field0]@[remote_ip]>
            Call-ID: [call_id]
            CSeq: 1 REGISTER
            Contact: <sip:[field0]@[local_ip]:[local_port]>
            User-Agent: [field1]
            Expires: 3600
            Content-Length: 0

          ]]></send>
          <recv response="200"/>
        </scenario>

        """
}
