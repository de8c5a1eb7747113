import Cluster

/// Section 5 of a heartbeat: ways to others that carry nothing while others do.
///
/// Kinds that a later version adds are skipped one by one; what follows the fields known here is left unread.
enum HeartbeatPaths {
    /// The first byte, so that a sender without troubles still shows that it would tell.
    private static let layout: UInt8 = 1
    /// In bytes, of text that is cut to a number of characters.
    private static let longestDetail = 4 * PathTrouble.longestDetail

    static func write(_ troubles: [PathTrouble], to writer: inout FrameWriter) {
        writer.write(byte: layout)
        writer.write(count: troubles.count)
        for trouble in troubles {
            writer.write(byte: trouble.kind.rawValue)
            writer.write(text: trouble.ring)
            writer.write(text: trouble.detail)
            writer.write(count: trouble.peers.count)
            var previous = ""
            for peer in trouble.peers {
                writer.write(name: peer, after: previous)
                previous = peer
            }
        }
    }

    static func read(_ reader: inout FrameReader) throws(FrameFailure) -> [PathTrouble] {
        guard try reader.byte() == layout else { return [] }
        var troubles: [PathTrouble] = []
        for _ in 0..<(try reader.count("path troubles", limit: PathTrouble.most)) {
            let kind = PathTrouble.Kind(rawValue: try reader.byte())
            let ring = try reader.text("ring")
            let detail = try reader.text("path's trouble", limit: longestDetail)
            var peers: [String] = []
            for _ in 0..<(try reader.count("peers", limit: ClusterLimits.nodes)) {
                peers.append(try reader.name("peer", after: peers.last ?? ""))
            }
            if let kind { troubles.append(PathTrouble(kind, ring: ring, detail: detail, peers: peers)) }
        }
        return troubles
    }
}
