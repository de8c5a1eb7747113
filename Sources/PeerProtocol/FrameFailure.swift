import Cluster

/// Why bytes from outside are no frame of ours.
package enum FrameFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes end before the value does.
    case truncated
    /// Written by a version this one cannot read.
    case version(UInt8)
    /// Of a cluster with another name.
    case otherCluster
    /// Of a cluster with this name but another key.
    case wrongKey
    /// Says that it was sealed with our key and was not, or was changed on the way.
    case forged
    /// The named field cannot be what it says.
    case malformed(String)
    /// The agreed state in it is laid out in a way this release does not know.
    case stateFormat(Int)
    /// Longer than a frame may be.
    case tooLong(Int)

    package var description: String {
        switch self {
        case .truncated: "the frame is cut short"
        case .version(let version): "the frame has version \(version), which is not known here"
        case .otherCluster: "the frame belongs to a cluster with another name"
        case .wrongKey:
            "the frame is sealed with another key: a second cluster with the same name, or another cluster.key"
        case .forged: "the frame is forged or was changed on the way"
        case .malformed(let field): "the frame's \(field) is malformed"
        case .stateFormat(let format):
            "the agreed state has format \(format), and this fsdns knows \(FormatVersion.newest)"
        case .tooLong(let length): "the frame is too long (\(length) bytes)"
        }
    }

    /// A short stable word for counting.
    package var reason: String {
        switch self {
        case .truncated: "truncated"
        case .version: "version"
        case .otherCluster: "other-cluster"
        case .wrongKey: "wrong-key"
        case .forged: "forged"
        case .malformed: "malformed"
        case .stateFormat: "state-format"
        case .tooLong: "too-long"
        }
    }
}
