import Cluster
import Consensus
import Primitives

/// Appends values to bytes: fixed numbers big-endian, small numbers as LEB128, names with their length.
struct FrameWriter {
    private(set) var bytes: [UInt8] = []

    mutating func write(byte: UInt8) { bytes.append(byte) }

    mutating func write(raw: some Sequence<UInt8>) { bytes.append(contentsOf: raw) }

    mutating func write(fixed value: UInt32) {
        for shift in stride(from: 24, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift)))
        }
    }

    mutating func write(fixed value: UInt64) {
        for shift in stride(from: 56, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }

    /// One to ten bytes, seven bits each, lowest first.
    mutating func write(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func write(count: Int) { write(UInt64(count)) }

    mutating func write(blob: [UInt8]) {
        write(count: blob.count)
        bytes.append(contentsOf: blob)
    }

    mutating func write(text: String) { write(blob: Array(text.utf8)) }

    /// Whole microseconds, rounded down, between 0 and an hour: an age told too small harms nobody.
    mutating func write(age: Duration) {
        let whole = min(max(age, .zero), FrameLimits.longestAge)
        write(UInt64(whole.nanoseconds / 1000))
    }

    mutating func write(_ epoch: Epoch) {
        write(epoch.term)
        write(epoch.index)
    }

    mutating func write(_ member: MemberID) {
        write(text: member.name)
        write(fixed: member.birth)
    }

    mutating func write(_ holder: Holder) {
        write(holder.member)
        write(fixed: holder.incarnation)
    }

    /// A name as what it shares with the one before it and what follows; lists of names are sorted.
    mutating func write(name: String, after previous: String) {
        let name = Array(name.utf8)
        let shared = zip(name, previous.utf8).prefix { $0 == $1 }.count
        write(count: shared)
        write(blob: Array(name[shared...]))
    }
}

/// The bounds of frames; a value beyond them is refused by the reader.
package enum FrameLimits {
    /// Of a name of a node, an address or a cluster, in UTF-8 bytes.
    package static let name = 255
    package static let longestAge: Duration = .seconds(3600)
    /// Of a peer frame, its length prefix not counted: a snapshot is the largest.
    package static let peerFrame = 4 << 20
    /// A heartbeat stays below this as long as what its sender holds allows it.
    package static let heartbeat = 1400
    /// No heartbeat is longer, whatever its sender holds.
    package static let longestHeartbeat = 32_768
}
