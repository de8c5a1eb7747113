import Primitives

/// Whether what stands in a secret file could be guessed.
package enum SecretStrength {
    /// The rest of a sentence that starts with the file's name.
    package struct Finding: Hashable, Sendable {
        /// Whether a node refuses it; otherwise it is complained about.
        package var isFault: Bool
        package var reason: String

        package init(isFault: Bool, _ reason: String) {
            self.isFault = isFault
            self.reason = reason
        }
    }

    /// Of a key: who has one datagram may try as fast as his machines can.
    package static let shortestKey = 16
    /// Of a password that listeners let nobody try fast.
    package static let shortestPassword = 8
    private static let hopelessPassword = 4
    /// A key that was drawn, in whatever alphabet, has more different bytes than this.
    private static let fewDifferent = 4

    /// Nil where there is nothing to say, and for certificates, which are judged otherwise.
    package static func finding(_ bytes: [UInt8], for use: SecretFile.Use) -> Finding? {
        switch use {
        case .clusterKey: key(bytes)
        case .ownEventSocket, .ownEventSocketLook, .limitService: password(bytes, isOurs: true)
        // FreeSWITCH decides which it takes.
        case .eventSocket: password(bytes, isOurs: false)
        case .update, .linkCertificate: nil
        }
    }

    private static func key(_ bytes: [UInt8]) -> Finding? {
        if bytes.count < shortestKey {
            return Finding(
                isFault: true, "is shorter than \(shortestKey) bytes; make one with: fsdns key")
        }
        guard isMonotonous(bytes) else { return nil }
        return Finding(isFault: true, "is a few letters over and over; make a key with: fsdns key")
    }

    private static func password(_ bytes: [UInt8], isOurs: Bool) -> Finding? {
        // A line break in it would begin another command.
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
            String(validating: bytes, as: UTF8.self).map(VisibleText.isPlain) ?? true
        else {
            return Finding(isFault: true, "must hold one line of text without control characters")
        }
        let isHopeless = bytes.count < hopelessPassword || Set(bytes).count == 1
        if isHopeless {
            return Finding(isFault: isOurs, "holds a password that is guessed at once; make a longer one")
        }
        if bytes.elementsEqual("ClueCon".utf8) {
            return Finding(
                isFault: false, "holds the password that every FreeSWITCH comes with; make another")
        }
        guard bytes.count < shortestPassword else { return nil }
        return Finding(
            isFault: false, "holds a password of less than \(shortestPassword) letters; make a longer one")
    }

    /// Whether it is made of so few different bytes that nobody can have drawn it.
    package static func isMonotonous(_ bytes: [UInt8]) -> Bool { Set(bytes).count < fewDifferent }
}
