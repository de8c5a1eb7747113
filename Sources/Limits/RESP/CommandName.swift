/// The commands the limit service knows, found from bytes without regard to case.
enum CommandName: Hashable, Sendable {
    case incr, decr, get, expire, eval
    case auth, hello, quit, ping, echo, select, command, client, info, config
    /// Known to redis, and refused here with the reason.
    case refused(StaticName)
    case unknown

    /// Of commands that are refused: a script, or a look at all keys.
    enum StaticName: String, Hashable, Sendable, CaseIterable { case evalsha, script, keys, scan }

    /// How many are served.
    static let served = 15

    init(_ name: UnsafeRawBufferPointer) {
        guard name.count <= 8 else {
            self = .unknown
            return
        }
        var packed: UInt64 = 0
        for byte in name { packed = packed << 8 | UInt64(byte | 0x20) }
        self = Self.known(packed)
    }

    @inline(__always)
    private static func known(_ packed: UInt64) -> CommandName {
        switch packed {
        case 0x696E_6372: .incr
        case 0x6465_6372: .decr
        case 0x67_6574: .get
        case 0x6578_7069_7265: .expire
        case 0x6576_616C: .eval
        case 0x6175_7468: .auth
        case 0x68_656C_6C6F: .hello
        case 0x7175_6974: .quit
        case 0x7069_6E67: .ping
        case 0x6563_686F: .echo
        case 0x7365_6C65_6374: .select
        case 0x63_6F6D_6D61_6E64: .command
        case 0x636C_6965_6E74: .client
        case 0x696E_666F: .info
        case 0x636F_6E66_6967: .config
        case 0x65_7661_6C73_6861: .refused(.evalsha)
        case 0x7363_7269_7074: .refused(.script)
        case 0x6B65_7973: .refused(.keys)
        case 0x7363_616E: .refused(.scan)
        default: .unknown
        }
    }
}
