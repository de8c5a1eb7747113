/// Elements that do not fit together.
let ruleMistakes: [Mistake] = [
    Mistake(
        "a service address of the name server's",
        "10.77.0.19/24",
        "10.77.0.53/24",
        [
            #"17: address "delta" is also that of the name server 10.77.0.53:53, which would be asked on whichever machine holds it"#
        ]),
    Mistake(
        "an event socket where FreeSWITCH has its own",
        "</cluster>",
        #"<event-socket listen="127.0.0.1:8021" password-file="s"/></cluster>"#,
        [
            "31: <event-socket> listen=127.0.0.1:8021 is also FreeSWITCH's event socket, <freeswitch> socket="
        ]),
    Mistake(
        "two services of ours at one port",
        "</cluster>",
        #"<event-socket listen="127.0.0.1:8121" password-file="s"/>"#
            + #"<limit-service listen="127.0.0.1:8121" password-file="s"/></cluster>"#,
        [
            "31: <limit-service> listen=127.0.0.1:8121 is also that of <event-socket>"
        ]),
    Mistake(
        "a service of ours at the port of the replica links",
        "</cluster>",
        #"<limit-service listen="10.77.0.3:5406" password-file="s"/></cluster>"#,
        [
            "31: <limit-service> listen=10.77.0.3:5406 is also the port of the replica links"
        ]),
    Mistake(
        "one node's event socket at a service address",
        #"<node name="fs3"/>"#,
        #"<node name="fs3"><event-socket listen="10.77.0.11:8121" password-file="s"/></node>"#,
        [
            #"10: <event-socket> listen=10.77.0.11:8121 is the service address "alpha", which a machine has "#
                + "only while it holds it; listen on an address of the machine"
        ]),
    Mistake(
        "a seat with an unknown address",
        #"address="beta""#,
        #"address="bta""#,
        [
            #"21: seat "master2" has the unknown address "bta"; the addresses are alpha, beta, delta"#
        ]),
    Mistake(
        "two seats with one address",
        #"address="beta""#,
        #"address="alpha""#,
        [
            #"21: a seat with the address "alpha" is there already, in line 20"#
        ]),
    Mistake(
        "two seats with one name",
        #"name="master2""#,
        #"name="master1""#,
        [
            #"21: seat "master1" is there already, in line 20"#
        ]),
    Mistake(
        "an unknown preference",
        #"prefer="fs2""#,
        #"prefer="fs9""#,
        [
            #"21: seat "master2" prefers the unknown node "fs9"; the nodes are fs1, fs2, fs3, fs4"#
        ]),
    Mistake(
        "a preference for the witness",
        #"prefer="fs2""#,
        #"prefer="dns1""#,
        [
            #"21: seat "master2" prefers "dns1", a witness, which holds no seat"#
        ]),
    Mistake(
        "more seats than nodes",
        "    <node name=\"fs2\"/>\n"
            + "    <node name=\"fs3\"/>\n"
            + "    <node name=\"fs4\"/>",
        "    <witness name=\"fs2\"/>\n"
            + "    <witness name=\"fs3\"/>\n"
            + "    <witness name=\"fs4\"/>",
        [
            #"20: 2 seats, but only 1 of the listed nodes can hold one each"#,
            #"21: seat "master2" prefers "fs2", a witness, which holds no seat"#,
        ]),
    Mistake(
        "expecting more nodes than there are",
        #"expect="5""#,
        #"expect="6""#,
        [
            #"7: expect=6, but only 5 nodes are listed; a cluster could never form"#
        ]),
    Mistake(
        "expecting nobody",
        #"expect="5""#,
        #"expect="0""#,
        [
            #"7: <nodes> expect="0" must be a whole number between 1 and 64"#
        ]),
    Mistake(
        "holding with more than two nodes",
        #"no-quorum="release""#,
        #"no-quorum="hold""#,
        [
            #"23: no-quorum=hold is only for exactly two listed nodes and no witness: with it nodes "#
                + #"keep their addresses without a majority, so nothing may be taken over automatically; "#
                + #"with three voters a majority decides, use no-quorum=release"#
        ]),
    Mistake(
        "a zone that is no name",
        #"zone="voip.example.net""#,
        #"zone="voip..net""#,
        [
            #"24: <dns> zone="voip..net" is no domain name; labels are 1 to 63 letters, digits and "#
                + #"inner hyphens, 253 characters in all"#
        ]),
    Mistake(
        "a TTL of no time",
        #"ttl="60s""#,
        #"ttl="1ms""#,
        [
            #"24: <dns> ttl="1ms" must lie between 1s and 1d"#
        ]),
    Mistake(
        "a TTL of broken seconds",
        #"ttl="60s""#,
        #"ttl="1.5s""#,
        [
            #"24: <dns> ttl= counts whole seconds"#
        ]),
    Mistake(
        "a floor above the seats",
        #"floor="1""#,
        #"floor="3""#,
        [
            #"24: floor=3, but there are only 2 seats; nothing could ever be withdrawn"#
        ]),
    Mistake(
        "the primary has no key",
        #" key="fsdns." algorithm="hmac-sha256" secret-file="fsdns.secret""#,
        #""#,
        [
            #"25: the first <server> gets the updates, so it needs key= and secret-file="#
        ]),
    Mistake(
        "a server twice",
        #"<service name="sip"/>"#,
        #"<server address="10.77.0.53"/>"#,
        [
            #"26: a second <server> has the address 10.77.0.53:53"#
        ]),
    Mistake(
        "a server without sense",
        #"10.77.0.53:53"#,
        #"ns1:53"#,
        [
            #"25: <server> address="ns1:53" is no address with a port, like 127.0.0.1:53 or [::1]:53"#
        ]),
    Mistake(
        "a seat with the name of the service",
        #"<service name="sip"/>"#,
        #"<service name="master1"/>"#,
        [
            #"20: seat "master1" has the name of a DNS service"#
        ]),
    Mistake(
        "a seat that cannot be a host name",
        #"name="master1""#,
        #"name="master_1""#,
        [
            #"20: seat "master_1" cannot be a host name, which <seat-names/> makes of it"#
        ]),
    Mistake(
        "an SRV record with no name to point to",
        "    <service name=\"sip\"/>\n"
            + "    <seat-names/>\n",
        "\n"
            + "\n",
        [
            #"24: <dns> needs a <service> or <seat-names/>: the SRV records have no name to point to"#
        ]),
    Mistake(
        "an SRV name that is none",
        #"_sip._udp"#,
        #"sip.udp"#,
        [
            #"28: <srv> service="sip.udp" must be a service and a protocol, like _sip._udp"#
        ]),
    Mistake(
        "a service twice",
        #"<service name="sip"/>"#,
        #"<service name="sip"/><service name="SIP"/>"#,
        [
            #"26: a second <service> has the name "sip""#
        ]),
    Mistake(
        "a switch that must answer before it is asked twice",
        #"password-file="event_socket.secret""#,
        #"password-file="event_socket.secret" check="400ms" failed-after="500ms""#,
        [
            #"30: <freeswitch> failed-after="500ms" must be at least twice check="400ms""#
        ]),
]
