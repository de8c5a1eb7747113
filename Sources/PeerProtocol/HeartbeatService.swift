import Cluster

/// Section 1 of a heartbeat: why its sender could not serve callers, and whom it reaches.
///
/// Kinds that a later version adds are skipped one by one; what follows the fields known here is left unread.
enum HeartbeatService {
    /// The first byte, so that a view without anything to tell is still told.
    private static let layout: UInt8 = 1
    /// In bytes.
    private static let longestText = 400

    private enum Flag {
        static let sure: UInt8 = 1
        static let station: UInt8 = 2
    }

    static func write(_ view: ServiceView, to writer: inout FrameWriter) {
        writer.write(byte: layout)
        writer.write(count: view.blockers.count)
        for blocker in view.blockers {
            writer.write(byte: blocker.kind.rawValue)
            writer.write(text: blocker.address ?? "")
            writer.write(text: blocker.text)
        }
        writer.write(count: view.sights.count)
        for sight in view.sights {
            writer.write(text: sight.address)
            writer.write(sight.epoch)
            writer.write(byte: sight.verdict.rawValue)
            writer.write(byte: (sight.isSure ? Flag.sure : 0) | (sight.station == nil ? 0 : Flag.station))
            if let station = sight.station { writer.write(station) }
        }
        writer.write(count: view.stations.count)
        for station in view.stations {
            writer.write(text: station.address)
            writer.write(station.hardware)
        }
        writer.write(count: view.reviving.count)
        for address in view.reviving { writer.write(text: address) }
    }

    static func read(_ reader: inout FrameReader) throws(FrameFailure) -> ServiceView {
        guard try reader.byte() == layout else { return ServiceView() }
        var view = ServiceView()
        for _ in 0..<(try reader.count("blockers", limit: ServiceView.mostBlockers)) {
            let kind = Blocker.Kind(rawValue: try reader.byte())
            let address = try reader.text("blocked address")
            let text = try reader.text("blocker", limit: longestText)
            if let kind { view.blockers.append(Blocker(kind, address.isEmpty ? nil : address, text)) }
        }
        for _ in 0..<(try reader.count("sights", limit: ServiceView.mostSights)) {
            let address = try reader.text("seen address")
            let epoch = try reader.epoch("seen address's epoch")
            let verdict = Sight.Verdict(rawValue: try reader.byte())
            let flags = try reader.byte()
            let station = flags & Flag.station == 0 ? nil : try reader.number("station")
            guard let verdict else { continue }
            view.sights.append(
                Sight(
                    address: address, epoch: epoch, verdict: verdict, isSure: flags & Flag.sure != 0,
                    station: station))
        }
        for _ in 0..<(try reader.count("stations", limit: ServiceView.mostStations)) {
            let address = try reader.text("stationed address")
            view.stations.append(Station(address: address, hardware: try reader.number("station")))
        }
        for _ in 0..<(try reader.count("reviving", limit: ServiceView.mostStations)) {
            view.reviving.append(try reader.text("reviving address"))
        }
        return view
    }
}
