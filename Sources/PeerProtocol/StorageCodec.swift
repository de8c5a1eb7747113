import Cluster

/// Log entries and snapshots as the state file keeps them, each with the version of its layout in front.
package enum StorageCodec {
    package static let version: UInt8 = 1

    package static func encode(_ entry: ControlEntry) -> [UInt8] {
        var writer = FrameWriter()
        writer.write(byte: version)
        ConsensusCodec.write(entry, to: &writer)
        return writer.bytes
    }

    package static func encode(_ snapshot: ControlSnapshot) -> [UInt8] {
        var writer = FrameWriter()
        writer.write(byte: version)
        ConsensusCodec.write(snapshot, to: &writer)
        return writer.bytes
    }

    package static func decodeEntry(_ bytes: [UInt8]) throws(FrameFailure) -> ControlEntry {
        var reader = try opened(bytes)
        let entry = try ConsensusCodec.entry(&reader)
        guard reader.remaining == 0 else { throw .malformed("end") }
        return entry
    }

    package static func decodeSnapshot(_ bytes: [UInt8]) throws(FrameFailure) -> ControlSnapshot {
        var reader = try opened(bytes)
        let snapshot = try ConsensusCodec.snapshot(&reader)
        guard reader.remaining == 0 else { throw .malformed("end") }
        return snapshot
    }

    private static func opened(_ bytes: [UInt8]) throws(FrameFailure) -> FrameReader {
        var reader = FrameReader(bytes)
        let version = try reader.byte()
        guard version == Self.version else { throw .version(version) }
        return reader
    }
}
