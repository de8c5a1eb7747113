/// What the schema refuses too, in the better words of the reader.
let structureMistakes: [Mistake] = [
    Mistake(
        "the namespace is missing",
        #" xmlns="urn:fsdns:cluster:1""#,
        #""#, schema: true,
        [
            #"1: the root element must be <cluster xmlns="urn:fsdns:cluster:1">, not <cluster>"#
        ]),
    Mistake(
        "the namespace is of another version",
        #"urn:fsdns:cluster:1"#,
        #"urn:fsdns:cluster:2"#, schema: true,
        [
            #"1: the root element must be <cluster xmlns="urn:fsdns:cluster:1">, not "#
                + #"<{urn:fsdns:cluster:2}cluster>"#
        ]),
    Mistake(
        "an element of a later part",
        #"  <seats>"#,
        #"  <fencing/><seats>"#, schema: true,
        [
            #"19: unknown element <fencing> in <cluster>; it may hold: key, heartbeat, nodes, "#
                + #"addresses, seats, policy, dns, freeswitch, event-socket, "#
                + #"limit-service, limits, playbooks, links"#
        ]),
    Mistake(
        "an element of another namespace",
        #"<seat-names/>"#,
        #"<seat-names xmlns="urn:other"/>"#, schema: true,
        [
            #"27: unknown element <{urn:other}seat-names> in <dns>; it may hold: server, service, "#
                + #"seat-names, srv"#
        ]),
    Mistake(
        "a service that is exclusive, perhaps",
        #"<service name="sip"/>"#,
        #"<service name="sip" exclusive="perhaps"/>"#, schema: true,
        [#"26: <service> exclusive="perhaps" must be "yes" or "no""#]),
    Mistake(
        "an unknown attribute",
        #"<node name="fs1"/>"#,
        #"<node name="fs1" vote="2"/>"#, schema: true,
        [
            #"8: unknown attribute "vote" on <node>; it may carry: name, address"#
        ]),
    Mistake(
        "an attribute with a prefix",
        #"<node name="fs1"/>"#,
        #"<node name="fs1" xml:id="fs1"/>"#, schema: true,
        [
            #"8: unknown attribute "{http://www.w3.org/XML/1998/namespace}id" on <node>; it may "#
                + #"carry: name, address"#
        ]),
    Mistake(
        "text where none belongs",
        #"<node name="fs1"/>"#,
        #"<node name="fs1"/>fs1b"#, schema: true,
        [
            #"8: text is not expected inside <nodes>"#
        ]),
    Mistake(
        "an element where none belongs",
        #"<node name="fs1"/>"#,
        #"<node name="fs1"><node name="fs0"/></node>"#, schema: true,
        [
            #"8: unknown element <node> in <node>; it may hold: freeswitch, event-socket, "#
                + #"limit-service"#
        ]),
    Mistake(
        "a name is missing",
        #" name="pbx""#,
        #""#, schema: true,
        [
            #"1: <cluster> needs the attribute "name""#
        ]),
    Mistake(
        "a section is missing",
        #"<key file="cluster.key"/>"#,
        #""#, schema: true,
        [
            #"1: <key> is missing in <cluster>"#
        ]),
    Mistake(
        "the FreeSWITCH is missing",
        #"<freeswitch socket="127.0.0.1:8021" password-file="event_socket.secret"/>"#,
        #""#, schema: true,
        [
            #"1: <freeswitch> is missing in <cluster>; say <freeswitch kind="none"/> where there is "#
                + #"none"#
        ]),
    Mistake(
        "a section stands twice",
        #"<key file="cluster.key"/>"#,
        #"<key file="cluster.key"/><key file="b.key"/>"#, schema: true,
        [
            #"2: <key> stands here a second time, after line 2"#
        ]),
    Mistake(
        "a path is empty",
        #"file="cluster.key""#,
        #"file="""#, schema: true,
        [
            #"2: <key> file="" is no path"#
        ]),
    Mistake(
        "a name that is none",
        #"name="fs1""#,
        #"name="fs 1""#, schema: true,
        [
            #"8: <node> name="fs 1" is no name; a name is 1 to 63 letters, digits, "-" and "_", and "#
                + #"starts with a letter or digit"#,
            #"20: seat "master1" prefers the unknown node "fs1"; the nodes are fs 1, fs2, fs3, fs4"#,
        ]),
    Mistake(
        "a name that starts with a hyphen",
        #"name="alpha""#,
        #"name="-alpha""#, schema: true,
        [
            #"15: <address> name="-alpha" is no name; a name is 1 to 63 letters, digits, "-" and "#
                + #""_", and starts with a letter or digit"#,
            #"20: seat "master1" has the unknown address "alpha"; the addresses are -alpha, beta, "#
                + #"delta"#,
        ]),
    Mistake(
        "a duration without a unit",
        #"lease="150ms""#,
        #"lease="150""#, schema: true,
        [
            #"3: <heartbeat> lease="150" has no unit; the units are us, ms, s, m, h, d"#
        ]),
    Mistake(
        "a duration of an unknown unit",
        #"lease="150ms""#,
        #"lease="150ns""#, schema: true,
        [
            #"3: <heartbeat> lease="150ns" has an unknown unit; the units are us, ms, s, m, h, d"#
        ]),
    Mistake(
        "a duration that is none",
        #"lease="150ms""#,
        #"lease="soon""#, schema: true,
        [
            #"3: <heartbeat> lease="soon" is no duration; write a number and a unit (us, ms, s, m, "#
                + #"h, d), like 25ms"#
        ]),
    Mistake(
        "no network and no peer",
        "    <network name=\"ring0\" subnet=\"10.77.0.0/24\" group=\"239.77.0.1\" port=\"5405\"/>\n"
            + "    <peer address=\"10.1.2.3\"/>\n",
        "\n"
            + "\n", schema: true,
        [
            #"3: <heartbeat> needs a <network>, or a <peer> for each node"#
        ]),
    Mistake(
        "a port that is none",
        #"port="5405""#,
        #"port="65536""#, schema: true,
        [
            #"4: <network> port="65536" must be a whole number between 1 and 65534"#
        ]),
    Mistake(
        "a port that is a name",
        #"port="5060""#,
        #"port="sip""#, schema: true,
        [
            #"28: <srv> port="sip" must be a whole number between 1 and 65535"#
        ]),
    Mistake(
        "an address without prefix length",
        #"10.77.0.11/24"#,
        #"10.77.0.11"#, schema: true,
        [
            #"15: <address> ip="10.77.0.11" has no prefix length; write 10.77.0.11/24 or what fits"#
        ]),
    Mistake(
        "no addresses",
        "<address name=\"alpha\" ip=\"10.77.0.11/24\"/>\n"
            + "    <address name=\"beta\" ip=\"2001:db8::12/64\"/>\n"
            + "    <address name=\"delta\" ip=\"10.77.0.19/24\"/>",
        #""#, schema: true,
        [
            #"14: <addresses> needs at least one <address>"#
        ]),
    Mistake(
        "no seats",
        "<seat name=\"master1\" address=\"alpha\" prefer=\"fs1\"/>\n"
            + "    <seat name=\"master2\" address=\"beta\" prefer=\"fs2\"/>",
        #""#, schema: true,
        [
            #"19: <seats> needs at least one <seat>"#
        ]),
    Mistake(
        "an unknown policy",
        #"no-quorum="release""#,
        #"no-quorum="ignore""#, schema: true,
        [
            #"23: <policy> no-quorum="ignore" must be "release" or "hold""#
        ]),
    Mistake(
        "takeovers without end",
        #"takeovers-per-hour="20""#,
        #"takeovers-per-hour="1001""#, schema: true,
        [
            #"23: <policy> takeovers-per-hour="1001" must be a whole number between 0 and 1000"#
        ]),
    Mistake(
        "an algorithm that is too weak",
        #"hmac-sha256"#,
        #"hmac-md5"#, schema: true,
        [
            #"25: <server> algorithm="hmac-md5" must be "hmac-sha256" or "hmac-sha512""#
        ]),
    Mistake(
        "a key without its secret",
        #" secret-file="fsdns.secret""#,
        #""#, schema: true,
        [
            #"25: <server> key= and secret-file= go together"#
        ]),
    Mistake(
        "no server",
        #"<server address="10.77.0.53:53" key="fsdns." algorithm="hmac-sha256" "#
            + #"secret-file="fsdns.secret"/>"#,
        #""#, schema: true,
        [
            #"24: <dns> needs at least one <server>"#
        ]),
    Mistake(
        "two lists of seat names",
        #"<seat-names/>"#,
        #"<seat-names/><seat-names/>"#, schema: true,
        [
            #"27: 2 <seat-names> elements; at most 1 are possible"#
        ]),
    Mistake(
        "a probe port without loopback",
        #"<addresses>"#,
        #"<addresses probe-port="15060">"#, schema: true,
        [
            #"14: <addresses> probe-port= belongs to mode="loopback""#
        ]),
    Mistake(
        "an unknown mode",
        #"<addresses>"#,
        #"<addresses mode="vip">"#, schema: true,
        [
            #"14: <addresses> mode="vip" must be "kernel" or "loopback""#
        ]),
    Mistake(
        "a password file is missing",
        #" password-file="event_socket.secret""#,
        #""#, schema: true,
        [
            #"30: <freeswitch> needs the attribute "password-file""#
        ]),
    Mistake(
        "a socket that is not there",
        #"<freeswitch socket="127.0.0.1:8021""#,
        #"<freeswitch kind="none""#, schema: true,
        [
            #"30: unknown attribute "password-file" on <freeswitch>; it may carry: kind"#
        ]),
    Mistake(
        "a mode of registrations that is none",
        #"password-file="event_socket.secret""#,
        #"password-file="event_socket.secret" registrations="many""#, schema: true,
        [
            #"30: <freeswitch> registrations="many" must be "single" or "call-id" or "contact""#
        ]),
    Mistake(
        "a service of our own without a password",
        #"<freeswitch socket"#,
        #"<event-socket listen="127.0.0.1:8121"/><freeswitch socket"#, schema: true,
        [
            #"30: <event-socket> needs the attribute "password-file""#
        ]),
    Mistake(
        "a policy for splits that is none",
        #"<freeswitch socket"#,
        #"<limits><limit name="trunk*" when-split="guess"/></limits><freeswitch socket"#, schema: true,
        [
            #"30: <limit> when-split="guess" must be "open" or "closed" or "share""#
        ]),
    Mistake(
        "a witness with a switch",
        #"<witness name="dns1"/>"#,
        #"<witness name="dns1"><freeswitch kind="none"/></witness>"#, schema: true,
        [
            #"12: unknown element <freeswitch> in <witness>; it has no content"#
        ]),
    Mistake(
        "two switches in one node",
        #"<node name="fs1"/>"#,
        #"<node name="fs1"><freeswitch kind="none"/><freeswitch kind="none"/></node>"#, schema: true,
        [
            #"8: <freeswitch> stands here a second time, after line 8"#
        ]),
    Mistake(
        "an unknown kind of FreeSWITCH",
        #"<freeswitch socket"#,
        #"<freeswitch kind="asterisk" socket"#, schema: true,
        [
            #"30: <freeswitch> kind="asterisk" must be "event-socket" or "none""#
        ]),
]
