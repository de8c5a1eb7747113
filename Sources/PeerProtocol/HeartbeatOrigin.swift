import Cluster

/// The section on how much the sender's log knows and where the sender runs; a later version may add fields.
enum HeartbeatOrigin {
    static func write(_ heartbeat: Heartbeat, to writer: inout FrameWriter) {
        guard heartbeat.logTerm != 0 || heartbeat.machine != .unknown else { return }
        writer.write(heartbeat.logTerm)
        writer.write(fixed: heartbeat.machine.host)
        writer.write(fixed: heartbeat.machine.boot)
    }

    static func read(_ reader: inout FrameReader, into heartbeat: inout Heartbeat) throws(FrameFailure) {
        heartbeat.logTerm = try reader.number("log's term")
        heartbeat.machine = MachineID(host: try reader.fixed64(), boot: try reader.fixed64())
    }
}
