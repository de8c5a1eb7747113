import Foundation
import Lab

/// `fsdns-lab`: the lab's instruments, each a small program for one network namespace, and the benchmarks.
@main
enum Tool {
    static let usage = """
        usage: fsdns-lab hold                                 the first process of a machine; ends with its input
               fsdns-lab janitor DIRECTORY                    removes the directory when its input ends
               fsdns-lab echo NAME                            answers probes with the name
               fsdns-lab probe ADDRESS [SECONDS]              asks an address who answers, each millisecond
               fsdns-lab watch-addresses                      address events of this network namespace
               fsdns-lab watch-announcements                  gratuitous ARP that arrives
               fsdns-lab watch-zone SERVER NAME               changes of a name's addresses
               fsdns-lab call OWN TARGET RATE COUNT SECONDS   places calls, at an address or where DNS leads to
               fsdns-lab phones PORT                          answers requests to phones, and tells of each
               fsdns-lab options ADDRESS                      asks an address by SIP whether it answers
               fsdns-lab replica NAME IP SECRET WRITER NAME=IP…   one of the replicas that are measured
               fsdns-lab register ADDRESS COUNT [PER_SECOND]  registers so many phones at a registrar
               fsdns-lab reflect OWN GROUP SECONDS VICTIM…     an attacker who sends heartbeats on and holds who calls
               fsdns-lab flood KIND PER_SECOND SECONDS OWN GROUP TARGET [spoof | signed CLUSTER SECRET]   an attacker who forges heartbeats
               fsdns-lab forge alive|leaving CLUSTER SECRET NAME OWN PORT SECONDS TARGET…   one with the key and no certificate
               fsdns-lab bench [--quick] [METRIC …]           the table of the benchmarks
        """

    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            try run(arguments)
        } catch {
            FileHandle.standardError.write(Data("fsdns-lab: \(error)\n".utf8))
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) throws {
        switch (arguments.first, arguments.count) {
        case ("hold", 1): Keeping.hold()
        case ("janitor", 2): Keeping.janitor(of: arguments[1])
        case ("echo", 2): try Echo.run(name: arguments[1])
        case ("probe", 2...3):
            let seconds = arguments.count == 3 ? Double(arguments[2]) ?? 60 : 60
            try Probe.run(address: arguments[1], periodMicroseconds: 1000, seconds: seconds)
        case ("watch-addresses", 1): try AddressWatch.run()
        case ("watch-announcements", 1): try AnnouncementWatch.run()
        case ("watch-zone", 3):
            try ZoneWatch.run(server: arguments[1], name: arguments[2], periodMicroseconds: 300)
        case ("register", 3...4):
            let numbers = arguments.dropFirst(2).map { Int($0) ?? 0 }
            guard numbers.allSatisfy({ $0 > 0 }) else { throw LabFailure("a count is a positive number") }
            try RegisterLoad.run(
                address: arguments[1], count: numbers[0], perSecond: numbers.dropFirst().first)
        case ("call", 6):
            guard let rate = Double(arguments[3]), rate > 0, let count = Int(arguments[4]), count > 0,
                let seconds = Double(arguments[5]), seconds >= 0
            else { throw LabFailure("a rate, a number of calls and seconds are numbers") }
            let plan = CallLoad.Plan(
                own: arguments[1], target: arguments[2], rate: rate, count: count, seconds: seconds)
            try CallLoad(plan).run()
        case ("phones", 2):
            guard let port = UInt16(arguments[1]) else { throw LabFailure("a port is a number") }
            try PhoneWatch.run(port: port)
        case ("options", 2): try OptionsWatch.run(address: arguments[1])
        case ("replica", _): try ReplicaProgram.run(Array(arguments.dropFirst()))
        case ("reflect", 5...):
            guard let seconds = Double(arguments[3]) else { throw LabFailure("seconds are a number") }
            try RingReflector.run(
                own: arguments[1], group: arguments[2], victims: Array(arguments[4...]), seconds: seconds)
        case ("flood", 7...10):
            guard let kind = RingFlood.Kind(rawValue: arguments[1]), let perSecond = Int(arguments[2]),
                let seconds = Double(arguments[3])
            else {
                throw LabFailure(
                    "a kind is garbage, header, session, replay or signed; rate and seconds are numbers")
            }
            var flood = RingFlood(
                kind: kind, perSecond: perSecond, seconds: seconds, own: arguments[4], group: arguments[5],
                target: arguments[6], isSpoofing: arguments.last == "spoof")
            if kind == .signed {
                guard arguments.count == 10 else { throw LabFailure("the cluster's name and key are needed") }
                flood.forge = {
                    try SignedForgery.datagram(like: $0, cluster: arguments[8], secret: arguments[9])
                }
            }
            print(try flood.run())
        case ("forge", 9...):
            guard let manner = HeartbeatForger.Manner(rawValue: arguments[1]),
                let port = UInt16(arguments[6]), let seconds = Double(arguments[7])
            else { throw LabFailure("a manner is alive or leaving; port and seconds are numbers") }
            try HeartbeatForger.run(
                manner, cluster: arguments[2], secret: arguments[3], name: arguments[4], own: arguments[5],
                port: port, targets: Array(arguments[8...]), seconds: seconds)
        case ("bench", _): try Bench.run(Array(arguments.dropFirst()))
        default:
            FileHandle.standardError.write(Data((usage + "\n").utf8))
            exit(2)
        }
    }
}
