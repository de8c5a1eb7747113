import Testing

@testable import DNSMessages

@Suite("Signatures")
struct TSIGTests {
    static let now: UInt64 = 1_795_000_000

    static func key(
        _ algorithm: TSIGKey.Algorithm = .hmacSHA256, name: String = "fsdns.", secret: [UInt8]? = nil
    ) throws -> TSIGKey {
        let secret = secret ?? Array("0123456789abcdef0123456789abcdef".utf8)
        return try #require(TSIGKey(name: DNSName(name), algorithm: algorithm, secret: secret))
    }

    private func request() throws -> DNSMessage {
        DNSUpdate(
            zone: try DNSName("example"), operations: [.add(try DNSRecord("a.example. 60 A 10.0.0.1"))]
        ).message(id: 0xBEEF)
    }

    @Test("a signed request is verified, its reply is bound to it", arguments: TSIGKey.Algorithm.allCases)
    func signAndVerify(algorithm: TSIGKey.Algorithm) throws {
        let key = try Self.key(algorithm)
        let request = try request()
        let signed = key.sign(try request.wire(), at: Self.now)
        #expect(signed.mac.count == algorithm.size)
        let scan = try PacketScan(signed.wire)
        #expect(try key.verifyRequest(scan, at: Self.now + 300) == signed.mac)
        #expect(scan.unsigned == (try request.wire()))

        let reply = request.reply(.noError)
        let signedReply = key.sign(try reply.wire(), at: Self.now + 1, requestMAC: signed.mac)
        #expect(try key.verifyReply(signedReply.wire, requestMAC: signed.mac, at: Self.now) == reply)
        var otherMAC = signed.mac
        otherMAC[0] ^= 1
        #expect(throws: TSIGFailure.badSignature) {
            try key.verifyReply(signedReply.wire, requestMAC: otherMAC, at: Self.now)
        }
    }

    @Test("any changed bit of message or signature is noticed")
    func everyBitCounts() throws {
        let key = try Self.key()
        let signed = key.sign(try request().wire(), at: Self.now).wire
        for position in signed.indices {
            var changed = signed
            changed[position] ^= 0x20
            let accepted = (try? PacketScan(changed)).flatMap { try? key.verifyRequest($0, at: Self.now) }
            // The header id is replaced by the original id, and names are compared without regard to case.
            if position < 2 { continue }
            let name = signed.count - signedTail..<signed.count - signedTail + 7
            let algorithm = signed.count - signedTail + 17..<signed.count - signedTail + 30
            if name.contains(position) || algorithm.contains(position) { continue }
            #expect(accepted == nil, "byte \(position)")
        }
    }

    /// Length of a TSIG record of key `fsdns.`: name 7, fixed 10, algorithm 13, data 16, MAC 32.
    private let signedTail = 7 + 10 + 13 + 16 + 32

    @Test("the time window is the fudge, on both sides")
    func timeWindow() throws {
        let key = try Self.key()
        let scan = try PacketScan(key.sign(try request().wire(), at: Self.now).wire)
        for now in [Self.now - 300, Self.now, Self.now + 300] {
            #expect(try key.verifyRequest(scan, at: now).count == 32)
        }
        for now in [Self.now - 301, Self.now + 301] {
            #expect(throws: TSIGFailure.badTime(signed: Self.now, now: now)) {
                try key.verifyRequest(scan, at: now)
            }
        }
    }

    @Test("another name, another algorithm, another secret and no signature are told apart")
    func wrongKeys() throws {
        let key = try Self.key()
        let wire = try request().wire()
        func verify(_ other: TSIGKey?) throws {
            _ = try key.verifyRequest(PacketScan(other?.sign(wire, at: Self.now).wire ?? wire), at: Self.now)
        }
        let other = try DNSName("other")
        #expect(throws: TSIGFailure.wrongKey(other, algorithm: try DNSName("hmac-sha256"))) {
            try verify(Self.key(name: "other"))
        }
        #expect(throws: TSIGFailure.wrongKey(try DNSName("fsdns"), algorithm: try DNSName("hmac-sha512"))) {
            try verify(Self.key(.hmacSHA512))
        }
        #expect(throws: TSIGFailure.badSignature) { try verify(Self.key(secret: [1, 2, 3])) }
        #expect(throws: TSIGFailure.unsigned(nil)) { try verify(nil) }
    }

    @Test("a truncated signature is refused even when its bytes are right")
    func truncatedMAC() throws {
        let key = try Self.key()
        let wire = try request().wire()
        var record = try #require(try PacketScan(key.sign(wire, at: Self.now).wire).signature)
        record.mac = Array(record.mac.prefix(16))
        var truncated = wire + record.wire
        truncated[11] += 1
        #expect(throws: TSIGFailure.wrongSize(16)) {
            try key.verifyRequest(PacketScan(truncated), at: Self.now)
        }
    }

    @Test("what the server reports is typed, and says whether it is signed")
    func serverErrors() throws {
        let key = try Self.key()
        let request = try request()
        let signed = key.sign(try request.wire(), at: Self.now)
        let record = try #require(try PacketScan(signed.wire).signature)
        let refusal = try request.reply(.notAuth).wire()
        for code in [TSIGErrorCode.badSig, .badKey] {
            let reply = TSIGKey.appendError(code, to: refusal, answering: record)
            #expect(throws: TSIGFailure.refused(code, serverTime: nil, authenticated: false)) {
                try key.verifyReply(reply, requestMAC: signed.mac, at: Self.now)
            }
        }
        let late = key.sign(
            refusal, at: Self.now, requestMAC: signed.mac, error: .badTime, serverTime: Self.now + 5000)
        #expect(
            throws: TSIGFailure.refused(.badTime, serverTime: Self.now + 5000, authenticated: true)
        ) { try key.verifyReply(late.wire, requestMAC: signed.mac, at: Self.now) }
        let forged = TSIGKey.appendError(.badTime, to: refusal, answering: record)
        #expect(throws: TSIGFailure.wrongSize(0)) {
            try key.verifyReply(forged, requestMAC: signed.mac, at: Self.now)
        }
    }

    @Test("an unsigned reply to a signed request is refused")
    func unsignedReply() throws {
        let key = try Self.key()
        let reply = try request().reply(.refused).wire()
        #expect(throws: TSIGFailure.unsigned(.refused)) {
            try key.verifyReply(reply, requestMAC: [], at: Self.now)
        }
    }

    @Test("nothing prints the secret")
    func secrecy() throws {
        let key = try Self.key()
        var dumped = ""
        dump(key, to: &dumped)
        for text in [
            "\(key)", String(reflecting: key), dumped, "\([key])", "\(Mirror(reflecting: key).children)",
        ] {
            #expect(!text.contains("0123") && !text.contains("48, 49"), "\(text)")
        }
        #expect("\(key)" == "fsdns. hmac-sha256")
    }
}

@Suite("Key files")
struct KeyFileTests {
    @Test("what tsig-keygen prints is read")
    func keygen() throws {
        let text = "key \"fsdns.\" {\n\talgorithm hmac-sha256;\n\tsecret \"AAECAwQ=\";\n};\n"
        let key = try KeyFile.parse(text, file: "k")
        #expect(key == TSIGKey(name: try DNSName("fsdns"), algorithm: .hmacSHA256, secret: [0, 1, 2, 3, 4]))
    }

    @Test("comments, quotes, case and order are BIND's")
    func bindSyntax() throws {
        let text = """
            // one
            key FSDNS. { # two
                secret AAECAwQ=; /* three
                four */ algorithm "HMAC-SHA512.";
            };
            """
        let key = try KeyFile.parse(text, file: "k")
        #expect(key == TSIGKey(name: try DNSName("fsdns"), algorithm: .hmacSHA512, secret: [0, 1, 2, 3, 4]))
    }

    @Test("a bare secret takes the configured name, a whole key must agree with it")
    func configured() throws {
        let name = try DNSName("fsdns")
        let key = TSIGKey(name: name, algorithm: .hmacSHA256, secret: [0, 1, 2, 3, 4])
        #expect(try KeyFile.parse("AAECAwQ=\n", file: "k", name: name, algorithm: .hmacSHA256) == key)
        let whole = "key \"fsdns\" { algorithm hmac-sha256; secret \"AAECAwQ=\"; };"
        #expect(try KeyFile.parse(whole, file: "k", name: name, algorithm: .hmacSHA256) == key)
        #expect(throws: KeyFile.Failure.self) {
            try KeyFile.parse(whole, file: "k", name: name, algorithm: .hmacSHA512)
        }
        #expect(throws: KeyFile.Failure.self) {
            try KeyFile.parse(whole, file: "k", name: try DNSName("other"), algorithm: .hmacSHA256)
        }
    }

    @Test(
        "an error names file and line, and never the secret",
        arguments: [
            ("", "k:1: "), ("zone x {};", "k:1: "), ("key a {\nalgorithm hmac-md5;\n};", "k:2: "),
            ("key a {\n\nsecret \"!!S3CRET\"; };", "k:3: "), ("key a { secret \"S3CRETxx\"; };", "k:1: "),
            ("key a { algorithm hmac-sha256; };", "k:1: "), ("key a { secret \"S3CRETxx\n", "k:1: "),
            ("key a { algorithm hmac-sha256; secret \"S3CR\"; };\nkey b {", "k:2: "),
            ("key a { secret S3CR; secret S3CR; };", "k:1: "), ("/* \n", "k:1: "),
            ("key a { algorithm hmac-sha256; secret \"\"; };", "k:1: "), ("key", "k:1: "),
        ])
    func errors(text: String, prefix: String) throws {
        let failure = try #require(throws: KeyFile.Failure.self) { try KeyFile.parse(text, file: "k") }
        #expect(failure.description.hasPrefix(prefix), "\(failure)")
        #expect(!failure.description.contains("S3CR"), "\(failure)")
    }

    @Test("base64 is RFC 4648's, strictly")
    func base64() {
        #expect(Base64.decode("Zm9vYmFy") == Array("foobar".utf8))
        #expect(Base64.decode("Zm9vYmE=") == Array("fooba".utf8))
        #expect(Base64.decode(" Zm9v\n Yg== ") == Array("foob".utf8))
        #expect(Base64.decode("+/+/") == [0xFB, 0xFF, 0xBF])
        #expect(Base64.decode("") == [])
        for bad in ["Zg", "Zg=", "Z===", "Zh==", "Zm9=", "Zm-v", "Zg==Zg==", "===="] {
            #expect(Base64.decode(bad) == nil, "\(bad)")
        }
    }
}
