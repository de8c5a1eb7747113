import Lab
import Testing

extension LabSuites {
    @Suite("Calls over IPv6")
    struct SwitchIPv6Tests {
        static let calls = 20

        @Test(
            "a switchover's BYEs stay in, and the callers hear from the new machine where their calls go on")
        func switchover() throws {
            let site = try SwitchCluster(nodes: 4) { $0.isIPv6 = true }
            defer { site.close() }
            let client = site.lab.client
            try client.put(Self.scenario, in: "caller.xml")
            let old = try site.host(of: "alpha")
            let callers = try client.start(
                [
                    "timeout", "60", "sipp", "[\(site.ip("alpha"))]:5060", "-i", client.addressIPv6, "-p",
                    "5100", "-sf", client.directory + "/caller.xml", "-m", "\(Self.calls)", "-r",
                    "\(Self.calls)", "-nostdin", "-trace_err", "-error_file",
                    client.directory + "/callers.errors",
                ], outputFile: "callers.log", errorsFile: "callers.log")
            for host in site.whole {
                try wait(for: "\(host.name) to know all calls as recoverable", atMost: 15, every: 100) {
                    try host.calls().count(where: \.isRevivable) == Self.calls
                }
            }

            let moment = BootTime.now
            try old.command("switchover", "master1", "--wait")
            let new = try site.waitForMove(of: "alpha", from: old, missing: 0)
            #expect(new !== old)
            try wait(for: "the calls on \(new.name)", atMost: 15, every: 20) {
                try new.freeswitch.channels().count { $0.profile == "alpha" } == Self.calls
            }
            print(
                "IPv6 switchover: all calls on \(new.name) \(Int(BootTime.now.milliseconds(since: moment))) ms later"
            )
            try wait(for: "the old legs to end", atMost: 10, every: 50) {
                try old.freeswitch.channelCount() == 0
            }
            // Each caller took one re-INVITE, then hung up by itself: a BYE from anywhere would have failed it.
            #expect(client.exitStatus(of: callers) == 0, "\(client.text(of: "callers.errors").suffix(2000))")
            try wait(for: "the calls to end", atMost: 10, every: 50) {
                try new.freeswitch.channelCount() == 0
            }
            try site.cluster.checkNoOverlap()
        }

        private static let scenario = """
            <?xml version="1.0" encoding="UTF-8"?>
            <scenario name="a caller whose call moves to another machine">
              <send retrans="500"><![CDATA[
                INVITE sip:park@[remote_ip]:[remote_port] SIP/2.0
                Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
                Max-Forwards: 70
                From: <sip:caller-[call_number]@[local_ip]:[local_port]>;tag=[pid]t[call_number]
                To: <sip:park@[remote_ip]:[remote_port]>
                Call-ID: [call_id]
                CSeq: 1 INVITE
                Contact: <sip:caller-[call_number]@[local_ip]:[local_port]>
                Content-Type: application/sdp
                Content-Length: [len]

                v=0
                o=caller 1 1 IN IP[media_ip_type] [media_ip]
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
                Max-Forwards: 70
                From: <sip:caller-[call_number]@[local_ip]:[local_port]>;tag=[pid]t[call_number]
                To: <sip:park@[remote_ip]:[remote_port]>[peer_tag_param]
                Call-ID: [call_id]
                CSeq: 1 ACK
                Content-Length: 0

              ]]></send>
              <recv request="INVITE"/>
              <send><![CDATA[
                SIP/2.0 200 OK
                [last_Via:]
                [last_From:]
                [last_To:]
                [last_Call-ID:]
                [last_CSeq:]
                Contact: <sip:caller-[call_number]@[local_ip]:[local_port]>
                Content-Type: application/sdp
                Content-Length: [len]

                v=0
                o=caller 1 2 IN IP[media_ip_type] [media_ip]
                s=-
                c=IN IP[media_ip_type] [media_ip]
                t=0 0
                m=audio 25000 RTP/AVP 0
                a=rtpmap:0 PCMU/8000

              ]]></send>
              <recv request="ACK"/>
              <pause milliseconds="4000"/>
              <send retrans="500"><![CDATA[
                BYE [next_url] SIP/2.0
                Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
                Max-Forwards: 70
                From: <sip:caller-[call_number]@[local_ip]:[local_port]>;tag=[pid]t[call_number]
                To: <sip:park@[remote_ip]:[remote_port]>[peer_tag_param]
                Call-ID: [call_id]
                CSeq: 2 BYE
                Content-Length: 0

              ]]></send>
              <recv response="200"/>
            </scenario>

            """
    }
}
