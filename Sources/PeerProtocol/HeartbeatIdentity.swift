import Cluster

/// What the sender has on its disk, and what it knows about the identities of others.
///
/// Each word stands in a blob of its own, so that a later version may add fields to it.
enum HeartbeatIdentity {
    /// The first byte, so that a sender with nothing to say still shows that it would tell.
    private static let layout: UInt8 = 1
    /// Of one word: two names, four fixed numbers and some small ones.
    private static let longestWord = 512

    private enum Flag {
        static let unsure: UInt8 = 1
        static let voted: UInt8 = 1
        static let owner: UInt8 = 2
        static let other: UInt8 = 4
    }

    static func write(_ view: IdentityView, to writer: inout FrameWriter) {
        writer.write(byte: layout)
        writer.write(byte: view.isUnsure ? Flag.unsure : 0)
        writer.write(byte: view.mark.hasVoted ? Flag.voted : 0)
        writer.write(view.mark.term)
        writer.write(view.mark.index)
        writer.write(count: view.words.count)
        for word in view.words {
            var content = FrameWriter()
            write(word, to: &content)
            writer.write(blob: content.bytes)
        }
    }

    static func read(_ reader: inout FrameReader) throws(FrameFailure) -> IdentityView {
        var view = IdentityView()
        guard try reader.byte() == layout else { return view }
        view.isUnsure = try reader.byte() & Flag.unsure != 0
        let flags = try reader.byte()
        let term = try reader.number("durable term")
        let index = try reader.number("durable index")
        view.mark = DurableMark(term: term, hasVoted: flags & Flag.voted != 0, index: index)
        for _ in 0..<(try reader.count("identity words", limit: IdentityView.mostWords)) {
            var content = FrameReader(try reader.blob("identity word", limit: longestWord))
            view.words.append(try word(&content))
        }
        return view
    }

    private static func write(_ word: IdentityWord, to writer: inout FrameWriter) {
        writer.write(
            byte: (word.mark.hasVoted ? Flag.voted : 0) | (word.owner == nil ? 0 : Flag.owner)
                | (word.other == nil ? 0 : Flag.other))
        writer.write(word.holder)
        writer.write(fixed: word.agreedIncarnation)
        writer.write(word.mark.term)
        writer.write(word.mark.index)
        writer.write(word.matched)
        if let owner = word.owner { writer.write(owner) }
        if let other = word.other {
            writer.write(fixed: other.incarnation)
            writer.write(age: other.age)
        }
    }

    private static func word(_ reader: inout FrameReader) throws(FrameFailure) -> IdentityWord {
        let flags = try reader.byte()
        var word = IdentityWord(to: try reader.holder("addressed life"))
        word.agreedIncarnation = try reader.fixed64()
        let term = try reader.number("known term")
        let index = try reader.number("known index")
        word.mark = DurableMark(term: term, hasVoted: flags & Flag.voted != 0, index: index)
        word.matched = try reader.number("matched index")
        if flags & Flag.owner != 0 { word.owner = try reader.holder("owner of a name") }
        if flags & Flag.other != 0 {
            let incarnation = try reader.fixed64()
            word.other = IdentityWord.OtherLife(
                incarnation: incarnation, age: try reader.age("age of another life"))
        }
        return word
    }
}
