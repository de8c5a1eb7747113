import Cluster
import Primitives

/// The section on the sender's program: from which to which format it reads, the one that is agreed on, and the name of its
/// release. A later version may add fields.
enum HeartbeatRelease {
    /// Far more than there will ever be; a range of such a size costs nothing.
    private static let largest: UInt64 = 10_000

    static func write(_ heartbeat: Heartbeat, to writer: inout FrameWriter) {
        guard let release = heartbeat.release else { return }
        writer.write(UInt64(release.formats.lowerBound))
        writer.write(UInt64(release.formats.upperBound))
        writer.write(UInt64(heartbeat.agreedFormat))
        writer.write(text: release.name)
    }

    static func read(_ reader: inout FrameReader, into heartbeat: inout Heartbeat) throws(FrameFailure) {
        let oldest = try format(&reader)
        let newest = try format(&reader)
        guard oldest <= newest else { throw .malformed("range of formats") }
        heartbeat.agreedFormat = try format(&reader)
        let name = try reader.text("release", limit: ReleaseInfo.longest)
        guard VisibleText.isPlain(name) else { throw .malformed("release") }
        heartbeat.release = ReleaseInfo(name: name, formats: oldest...newest)
    }

    private static func format(_ reader: inout FrameReader) throws(FrameFailure) -> Int {
        let number = try reader.number("format")
        guard (1...largest).contains(number) else { throw .malformed("format") }
        return Int(number)
    }
}
