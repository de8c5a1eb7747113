import Cluster

/// Section 6 of a heartbeat: whose turn it is to try to write the zone, and why the sender could not.
enum HeartbeatZone {
    /// In bytes, of text that is cut to a number of characters.
    private static let longestTrouble = 4 * ZoneWord.longestTrouble

    static func write(_ word: ZoneWord, to writer: inout FrameWriter) {
        writer.write(text: word.turn)
        writer.write(text: word.trouble)
    }

    static func read(_ reader: inout FrameReader) throws(FrameFailure) -> ZoneWord {
        ZoneWord(
            turn: try reader.text("turn"),
            trouble: try reader.text("trouble of the zone", limit: longestTrouble))
    }
}
