import Cluster
import Consensus
import PeerProtocol
import Primitives

// What machines say to each other: really encoded, carried over the network, decoded again.

extension World {
    // MARK: - Heartbeats

    mutating func beat(_ heartbeat: Heartbeat, from sender: Int) {
        let bytes = HeartbeatCodec.encode(heartbeat)
        guard let decoded = try? HeartbeatCodec.decode(bytes) else {
            judge.object(now, .frames, "\(machines[sender].name) sent a heartbeat nobody can read")
            return
        }
        let arriving = sabotaged(decoded)
        record(arriving)
        for receiver in machines.indices where receiver != sender {
            let link = Link(from: sender, to: receiver)
            guard network.passesDatagrams(link), !chance.network.happens(perMille: network.loss) else {
                continue
            }
            if chance.network.happens(perMille: network.damage) {
                drop(damaged: bytes)
                continue
            }
            carry(arriving, over: link)
            if chance.network.happens(perMille: network.duplication) { carry(arriving, over: link) }
        }
    }

    private mutating func carry(_ heartbeat: Heartbeat, over link: Link) {
        guard machines[link.to].isUp else { return }
        var delay = network.drawDelay(link, using: &chance.network)
        if chance.network.happens(perMille: network.reordering) {
            delay += chance.network.drawSpan(0...Network.latest)
        }
        agenda.add(.heartbeat(heartbeat, to: link.to), at: now.after(nanoseconds: delay))
    }

    /// A damaged heartbeat fails its seal before it reaches a node; decoding it must do no harm all the same.
    private mutating func drop(damaged bytes: [UInt8]) {
        _ = try? HeartbeatCodec.decode(damage(bytes))
    }

    private mutating func damage(_ bytes: [UInt8]) -> [UInt8] {
        guard !bytes.isEmpty else { return bytes }
        if chance.network.happens(perMille: 300) {
            return Array(bytes.prefix(chance.network.draw(0...(bytes.count - 1))))
        }
        var damaged = bytes
        for _ in 0..<chance.network.draw(1...4) {
            damaged[chance.network.draw(0...(bytes.count - 1))] ^= UInt8(chance.network.draw(1...255))
        }
        return damaged
    }

    private func sabotaged(_ heartbeat: Heartbeat) -> Heartbeat {
        guard blueprint.sabotage == .epochlessAcknowledgements else { return heartbeat }
        var changed = heartbeat
        changed.fenceEpoch = .zero
        changed.logTerm = 0
        return changed
    }

    // MARK: - Peer links

    mutating func send(_ message: PeerMessage, to receiver: MemberID, from sender: Int) {
        guard let to = addressee(of: receiver), to != sender,
            let member = machines[to].service?.member,
            member == receiver
        else { return }
        let link = Link(from: sender, to: to)
        guard network.connection(link).isUp, network.passesPeerLinks(link) else { return }
        guard !network.isCut(link), !network.isCut(Link(from: to, to: sender)) else {
            disconnect(link)
            return
        }
        let bytes = PeerFrameCodec.encode(message)
        if chance.network.happens(perMille: network.damage) {
            _ = try? PeerFrameCodec.decode(damage(bytes))
            disconnect(link)
            return
        }
        guard let decoded = try? PeerFrameCodec.decode(bytes) else {
            judge.object(now, .frames, "\(machines[sender].name) sent a frame nobody can read")
            return
        }
        let arrival = network.arrival(link, sent: now, using: &chance.network)
        let connection = network.connection(link).number
        agenda.add(.message(sabotaged(decoded), link: link, connection: connection), at: arrival)
    }

    mutating func arrive(_ message: PeerMessage, over link: Link, connection: Int) {
        guard network.connection(link).number == connection else { return }
        guard !network.isCut(link) else {
            disconnect(link)
            return
        }
        guard let sender = machines[link.from].service?.member else { return }
        if endsUnread(message, over: link) { return }
        deliver(.received(message, from: sender), to: link.to)
    }

    /// Everything under way is lost; a new connection takes a while.
    mutating func disconnect(_ link: Link) {
        network.breakConnection(link)
        let moment = now.after(nanoseconds: chance.network.draw(5...150) * millisecond)
        agenda.add(.reconnect(link), at: moment)
    }

    mutating func reconnect(_ link: Link) {
        guard !network.connection(link).isUp else { return }
        if network.isCut(link) || network.isCut(Link(from: link.to, to: link.from))
            || !network.passesPeerLinks(link)
        {
            agenda.add(.reconnect(link), at: now.after(nanoseconds: 50 * millisecond))
        } else {
            network.reconnect(link, at: now)
        }
    }

    private func sabotaged(_ message: PeerMessage) -> PeerMessage {
        guard blueprint.sabotage == .inflatedAges, case .consensus(let body, var rider) = message
        else { return message }
        for i in rider.ages.indices { rider.ages[i].age = .seconds(10) }
        return .consensus(body, rider)
    }

    // MARK: - Cuts

    mutating func cut(_ cut: Cut) {
        let text = cut.links.map { "\(machines[$0.from].name)>\(machines[$0.to].name)" }
        trace.add(now, "network", "cut \(text.joined(separator: " "))")
        network.apply(cut)
    }

    mutating func heal(_ cut: Cut) {
        trace.add(now, "network", "healed")
        network.heal(cut)
    }
}
