@preconcurrency import Glibc
import Lab
import Testing

extension LabSuites {
    @Suite(
        "Calls through a proxy that follows SRV",
        .enabled(if: LabSite.expects("/usr/sbin/kamailio"), "needs kamailio: script/bootstrap --test"))
    struct ProxyTests {
        @Test("they reach masters only, leave an address DNS withdrew, and go on when a master is lost")
        func followsSRV() throws {
            let site = try SwitchCluster(nodes: 4) { $0.ttl = "2s" }
            defer { site.close() }
            let phones = try ProxiedPhones(site)

            // Three masters, all of them called.
            var reached = try phones.call("formed", holding: 15)
            #expect(reached == ["alpha", "beta", "gamma"] && phones.tried("formed") == reached)

            // A drained master's address gives way to the maintenance address. It lives on while there are calls
            // on it, but once what DNS said before is forgotten, none is even tried there.
            let drained = try site.host(of: "beta")
            try drained.command("drain", "master2")
            reached = try phones.call("draining", holding: 1)
            #expect(reached.isSubset(of: ["alpha", "beta", "gamma", "delta"]))
            try phones.waitUntilForgotten("beta")
            #expect(try site.lab.status().maintenance.drain != nil && phones.holder(of: "beta") === drained)
            reached = try phones.call("drained", holding: 1)
            #expect(reached == ["alpha", "gamma", "delta"])
            #expect(phones.tried("drained") == reached)
            try phones.hangUp()
            try site.lab.waitUntilSettled()
            try drained.command("undrain", drained.name, "--wait")

            // A master is lost, the slave takes its address: nobody calling in the gap hears of it.
            let lost = try phones.holder(of: "gamma")
            try lost.cutPower()
            reached = try phones.call("lost", holding: 1)
            #expect(reached.isSubset(of: ["alpha", "gamma", "delta"]))
            try site.lab.waitUntilSettled(missing: 1)
            #expect(try phones.holder(of: "gamma") === drained)
            reached = try phones.call("taken over", holding: 1)
            #expect(reached == ["alpha", "gamma", "delta"])
            try phones.hangUp()

            // One more, and nobody is left to take its address: the proxy gets no answer there and goes on to the
            // next of the records, and soon there is no record of it.
            try phones.holder(of: "alpha").cutPower()
            reached = try phones.call("withdrawn", holding: 1)
            #expect(reached == ["gamma", "delta"])
            try phones.waitUntilForgotten("alpha")
            reached = try phones.call("forgotten", holding: 1)
            #expect(reached == ["gamma", "delta"])
            #expect(phones.tried("forgotten") == reached)
            try phones.hangUp()
            try site.cluster.checkNoOverlap()
        }
    }
}

/// Phones that know nothing but their proxy, and where the switches say that their calls are.
private final class ProxiedPhones {
    private let site: SwitchCluster
    private let proxy: OutboundProxy
    private var runs: [(name: String, pid: pid_t)] = []

    /// Enough that none of three equal records is left out by chance (once in ten million).
    private static let calls = 40
    private static let places = Dictionary(
        uniqueKeysWithValues: zip(
            SwitchCluster.addressNames + ["delta"], ClusterPlan.managedAddresses))

    init(_ site: SwitchCluster) throws {
        self.site = site
        proxy = try OutboundProxy(on: site.lab.client)
        try site.lab.client.put(Self.scenario, in: "proxied.xml")
    }

    /// The powered host that has the address by its kernel's list.
    func holder(of address: String) throws -> Host {
        guard let ip = Self.places[address], let name = try site.lab.holder(of: ip) else {
            throw LabFailure("nobody has \(address)")
        }
        return try site.lab.host(name)
    }

    /// Places calls that last so many seconds; returns once every one is on a switch, and on which addresses.
    ///
    /// Each must be on one switch only, on an address that its machine has.
    func call(_ name: String, holding seconds: Int) throws -> Set<String> {
        let client = site.lab.client
        let batch = name.split(separator: " ").joined(separator: "-")
        let start = BootTime.now
        let pid = try client.start(
            [
                "timeout", "60", "sipp", "\(client.addresses[0]):\(OutboundProxy.port)", "-i",
                client.addresses[0], "-p", "\(5100 + runs.count)", "-sf", client.directory + "/proxied.xml",
                "-key", "batch", batch, "-m", "\(Self.calls)", "-r", "\(Self.calls)", "-l", "\(Self.calls)",
                "-d", "\((seconds + 3) * 1000)", "-nostdin", "-trace_err", "-error_file",
                client.directory + "/\(batch).errors",
            ], outputFile: "\(batch).log", errorsFile: "\(batch).log")
        runs.append((batch, pid))
        // Where each was seen: on a slow machine the first may have hung up before the last is there.
        var found: [String: Set<String>] = [:]
        do {
            try wait(for: "the calls “\(name)” on the switches", atMost: 30, every: 100) {
                for (place, callers) in try calls(of: batch) { found[place, default: []].formUnion(callers) }
                return Set(found.values.joined()).count == Self.calls
            }
        } catch {
            throw LabFailure(
                "\(error): \(found.mapValues(\.count)), the proxy tried \(tried(name).sorted())\n"
                    + "\(errors(of: batch))\n\(site.lab.client.text(of: "proxy.log").suffix(2000))")
        }
        let took = Int(BootTime.now.milliseconds(since: start))
        let told = found.keys.sorted().map { "\($0) \(found[$0]?.count ?? 0)" }.joined(separator: ", ")
        print("calls “\(name)”: \(told); all up within \(took) ms")
        #expect(
            found.values.reduce(0) { $0 + $1.count } == Self.calls, "a call of “\(name)” is on two switches")
        for place in found.keys {
            let words = place.split(separator: " ").map(String.init)
            #expect(try holder(of: words[0]).name == words[1], "a call of “\(name)” is not on a master")
        }
        return Set(found.keys.compactMap { $0.split(separator: " ").first.map(String.init) })
    }

    /// Callers by `address host`, as the switches list them.
    private func calls(of batch: String) throws -> [String: Set<String>] {
        var found: [String: Set<String>] = [:]
        for host in site.whole {
            for channel in try host.freeswitch.channels() where channel.callstate == "ACTIVE" {
                let caller = channel.name.split(separator: "/").last?.split(separator: "@").first ?? ""
                guard caller.hasPrefix(batch + "-") else { continue }
                found["\(channel.profile) \(host.name)", default: []].insert(String(caller))
            }
        }
        return found
    }

    /// The addresses that the proxy sent calls to, answered or not.
    func tried(_ name: String) -> Set<String> {
        let batch = name.split(separator: " ").joined(separator: "-") + "-"
        let addresses = Set(proxy.attempts().filter { $0.caller.hasPrefix(batch) }.map(\.address))
        return Set(Self.places.filter { addresses.contains($0.value) }.keys)
    }

    /// Waits until DNS leads nobody to the address any more, and as long again as that may be remembered.
    func waitUntilForgotten(_ address: String) throws {
        let server = site.lab.nameServer
        try wait(for: "DNS to withdraw \(address)", atMost: 15, every: 50) {
            let targets = try server.answer("_sip._udp.voip.example.net", "SRV").compactMap {
                $0.split(separator: " ").last.map(String.init)
            }
            let served = try targets.flatMap { try server.answer($0) }
            return !served.isEmpty && !served.contains(Self.places[address] ?? "")
        }
        pause(milliseconds: 2000)
    }

    /// Waits until the phones have hung up, all of them as they meant to.
    func hangUp() throws {
        for run in runs {
            let status = site.lab.client.exitStatus(of: run.pid)
            guard status == 0 else {
                throw LabFailure("calls “\(run.name)” ended with \(status): \(errors(of: run.name))")
            }
        }
        runs = []
        try wait(for: "the switches to be empty", atMost: 10, every: 100) {
            try site.whole.allSatisfy { try $0.freeswitch.channelCount() == 0 }
        }
    }

    private func errors(of batch: String) -> String {
        String(site.lab.client.text(of: "\(batch).errors").suffix(2000))
    }

    private static let scenario = """
        <?xml version="1.0" encoding="UTF-8"?>
        <scenario name="a caller behind a proxy">
          <send retrans="500"><![CDATA[
            INVITE sip:park@voip.example.net SIP/2.0
            Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
            Max-Forwards: 70
            From: <sip:[batch]-[call_number]@[local_ip]:[local_port]>;tag=[pid]t[call_number]
            To: <sip:park@voip.example.net>
            Call-ID: [call_id]
            CSeq: 1 INVITE
            Contact: <sip:[batch]-[call_number]@[local_ip]:[local_port]>
            Content-Type: application/sdp
            Content-Length: [len]

            v=0
            o=caller 1 1 IN IP[local_ip_type] [local_ip]
            s=-
            c=IN IP[media_ip_type] [media_ip]
            t=0 0
            m=audio 25000 RTP/AVP 0
            a=rtpmap:0 PCMU/8000

          ]]></send>
          <recv response="100" optional="true"/>
          <recv response="180" optional="true"/>
          <recv response="200" rrs="true"/>
          <send><![CDATA[
            ACK [next_url] SIP/2.0
            Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
            [routes]
            Max-Forwards: 70
            From: <sip:[batch]-[call_number]@[local_ip]:[local_port]>;tag=[pid]t[call_number]
            To: <sip:park@voip.example.net>[peer_tag_param]
            Call-ID: [call_id]
            CSeq: 1 ACK
            Content-Length: 0

          ]]></send>
          <pause/>
          <send retrans="500"><![CDATA[
            BYE [next_url] SIP/2.0
            Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
            [routes]
            Max-Forwards: 70
            From: <sip:[batch]-[call_number]@[local_ip]:[local_port]>;tag=[pid]t[call_number]
            To: <sip:park@voip.example.net>[peer_tag_param]
            Call-ID: [call_id]
            CSeq: 2 BYE
            Content-Length: 0

          ]]></send>
          <recv response="200"/>
        </scenario>

        """
}
