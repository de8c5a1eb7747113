import Primitives

/// The bounds of the deciding half; nothing grows past them.
package enum ClusterLimits {
    package static let nodes = 64
    package static let addresses = 256
    /// Heartbeats of ours whose sending time is remembered; older acknowledgements are worth nothing anyway.
    package static let rememberedHeartbeats = 256
    /// Operator requests waiting for the leader's answer.
    package static let pendingRequests = 64
    /// Log entries applied before the log is compacted into a snapshot.
    package static let entriesBetweenSnapshots: Index = 512
}
