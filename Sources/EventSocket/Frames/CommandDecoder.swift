/// Makes commands of what an event-socket client sends, however the bytes are cut: the blank line often comes alone.
package struct CommandDecoder: Sendable {
    private var reader: BlockReader

    package init(limits: FrameLimits = FrameLimits()) {
        reader = BlockReader(limits: limits, beginsWithLine: true)
    }

    package var limits: FrameLimits {
        get { reader.limits }
        set { reader.limits = newValue }
    }
    /// Bytes received and not yet given out as commands.
    package var buffered: Int { reader.buffered }
    /// Whether a command has begun and not ended.
    package var isInsideCommand: Bool { reader.isInsideBlock }
    /// Bytes looked at or moved so far: a small multiple of the bytes received.
    package var work: Int { reader.work }

    package mutating func append(_ bytes: [UInt8]) { reader.append(bytes[...]) }
    package mutating func append(_ bytes: ArraySlice<UInt8>) { reader.append(bytes) }

    /// The next whole command, nil when there is none yet. After an error the stream cannot be read on.
    package mutating func next() throws(FrameError) -> Command? {
        guard let block = try reader.next() else { return nil }
        return Command(block.line, headers: block.headers, body: block.body)
    }
}
