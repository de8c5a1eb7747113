/// Durations and addresses that cannot work.
let networkMistakes: [Mistake] = [
    Mistake(
        "a lease within two intervals",
        #"lease="150ms""#,
        #"lease="50ms""#,
        [
            #"3: lease=50ms must be longer than two intervals of 25ms: an acknowledgement takes "#
                + #"that long without any loss"#
        ]),
    Mistake(
        "dead-after is the lease",
        #"dead-after="200ms""#,
        #"dead-after="150ms""#,
        [
            #"3: dead-after=150ms must be longer than lease=150ms: a node must have let go before "#
                + #"another takes its addresses"#
        ]),
    Mistake(
        "discovery shorter than dead-after",
        #"discovery="5s""#,
        #"discovery="100ms""#,
        [
            #"3: discovery=100ms must not be shorter than dead-after=200ms: a starting node has to "#
                + #"hear everyone who lives"#
        ]),
    Mistake(
        "an interval out of all measure",
        #"interval="25ms""#,
        #"interval="1us""#,
        [
            #"3: <heartbeat> interval="1us" must lie between 1ms and 5s"#
        ]),
    Mistake(
        "a duration too long to count",
        #"discovery="5s""#,
        #"discovery="99999999999999999999d""#,
        [
            #"3: <heartbeat> discovery="99999999999999999999d" is too long or too fine; at most "#
                + #"365d, at least whole nanoseconds"#
        ]),
    Mistake(
        "a subnet with host bits",
        #"10.77.0.0/24"#,
        #"10.77.0.1/24"#,
        [
            #"4: <network> subnet="10.77.0.1/24" has bits after its prefix; the network is "#
                + #"10.77.0.0/24"#
        ]),
    Mistake(
        "a subnet with too long a prefix",
        #"10.77.0.0/24"#,
        #"10.77.0.0/33"#,
        [
            #"4: <network> subnet="10.77.0.0/33" needs a prefix length between 1 and 32"#
        ]),
    Mistake(
        "a group that is none",
        #"239.77.0.1"#,
        #"10.77.0.1"#,
        [
            #"4: <network> group="10.77.0.1" is no multicast group; those are 224.0.0.0/4 and "#
                + #"ff00::/8"#
        ]),
    Mistake(
        "a group of the other family",
        #"239.77.0.1"#,
        #"ff02::77"#,
        [
            #"4: <network> has a subnet and a group of different families"#
        ]),
    Mistake(
        "a peer that is a group",
        #"10.1.2.3"#,
        #"239.1.2.3"#,
        [
            #"5: <peer> address="239.1.2.3" is a multicast group, not a machine's address"#
        ]),
    Mistake(
        "a peer that is link-local",
        #"10.1.2.3"#,
        #"fe80::1"#,
        [
            #"5: <peer> address="fe80::1" is link-local; it means nothing without an interface"#
        ]),
    Mistake(
        "a peer twice",
        #"<peer address="10.1.2.3"/>"#,
        #"<peer address="10.1.2.3"/><peer address="10.1.2.3" port="5406"/>"#,
        [
            #"5: the peer 10.1.2.3 is there already, in line 5"#
        ]),
    Mistake(
        "a node twice, in another case",
        #"name="fs2""#,
        #"name="FS1""#,
        [
            #"9: node "FS1" is there already, in line 8"#,
            #"21: seat "master2" prefers the unknown node "fs2"; the nodes are fs1, FS1, fs3, fs4"#,
        ]),
    Mistake(
        "an address name twice",
        #"name="beta""#,
        #"name="alpha""#,
        [
            #"16: address "alpha" is there already, in line 15"#,
            #"21: seat "master2" has the unknown address "beta"; the addresses are alpha, alpha, "#
                + #"delta"#,
        ]),
    Mistake(
        "an IP twice",
        #"10.77.0.19/24"#,
        #"10.77.0.11/16"#,
        [
            #"17: the address 10.77.0.11 is there already, in line 15"#
        ]),
    Mistake(
        "an IPv6 address twice, written differently",
        #"10.77.0.19/24"#,
        #"2001:DB8:0::0:12/64"#,
        [
            #"17: the address 2001:db8::12 is there already, in line 16"#
        ]),
    Mistake(
        "an address that is none",
        #"10.77.0.11/24"#,
        #"10.77.0.256/24"#,
        [
            #"15: <address> ip="10.77.0.256/24" is no IP address with a prefix length, like "#
                + #"10.0.0.1/24"#
        ]),
    Mistake(
        "an IPv4 address in IPv6 form",
        #"10.77.0.11/24"#,
        #"::ffff:10.77.0.11/120"#,
        [
            #"15: <address> ip="::ffff:10.77.0.11/120" is an IPv4 address in IPv6 form; write it as "#
                + #"IPv4"#
        ]),
    Mistake(
        "an address that is nobody's",
        #"10.77.0.11/24"#,
        #"0.0.0.0/24"#,
        [
            #"15: <address> ip="0.0.0.0/24" is no machine's address"#
        ]),
    Mistake(
        "a multicast address",
        #"10.77.0.11/24"#,
        #"224.0.0.11/24"#,
        [
            #"15: <address> ip="224.0.0.11/24" is a multicast group, not a machine's address"#
        ]),
    Mistake(
        "the network itself",
        #"10.77.0.11/24"#,
        #"10.77.0.0/24"#,
        [
            #"15: <address> ip="10.77.0.0/24" is the network itself"#
        ]),
    Mistake(
        "the broadcast address",
        #"10.77.0.11/24"#,
        #"10.77.0.255/24"#,
        [
            #"15: <address> ip="10.77.0.255/24" is the broadcast address of its network"#
        ]),
    Mistake(
        "a loopback address without loopback mode",
        #"10.77.0.11/24"#,
        #"127.0.0.11/8"#,
        [
            #"15: address 127.0.0.11 is this machine's loopback, which no caller reaches; "#
                + #"<addresses mode="loopback"> is for trying out"#
        ]),
    Mistake(
        "an address that is a peer's own",
        #"10.1.2.3"#,
        #"10.77.0.11"#,
        [
            #"15: address "alpha" is also the own address of a peer, 10.77.0.11"#
        ]),
    Mistake(
        "a node with a service address",
        #"<node name="fs1"/>"#,
        #"<node name="fs1" address="10.77.0.19"/>"#,
        [
            #"17: address "delta" is also the own address of node "fs1""#
        ]),
]
