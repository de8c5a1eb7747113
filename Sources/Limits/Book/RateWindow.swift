/// Recognises the keys of mod_hiredis's rate limits: `ID_<epoch / INTERVAL>` (mod_hiredis.c, hiredis_limit_incr).
///
/// FreeSWITCH sets a key's expiry only when it is told 1, so in a cluster only the first node of a window does. The
/// others learn the expiry from that node's record; but under `closed` and `share` nobody is told 1. A key whose
/// number is this very moment's window is a rate's, and ends with it.
enum RateWindow {
    /// Longer windows have numbers so short that a customer's number may be one by chance.
    static let longest: UInt64 = 60

    /// The window's length in seconds; nil when the key does not name a window of this moment.
    static func interval(of key: UnsafeRawBufferPointer, at wall: UInt64) -> UInt64? {
        var number: UInt64 = 0
        var scale: UInt64 = 1
        var at = key.count - 1
        while at >= 0, key[at] >= UInt8(ascii: "0"), key[at] <= UInt8(ascii: "9"), key.count - at <= 12 {
            number += UInt64(key[at] - UInt8(ascii: "0")) * scale
            scale *= 10
            at -= 1
        }
        guard at >= 0, key[at] == UInt8(ascii: "_"), number > 0 else { return nil }
        let interval = wall / number
        guard interval >= 1, interval <= longest else { return nil }
        // The switch may have read its clock just before the second changed.
        return wall / interval == number || (wall - 1) / interval == number ? interval : nil
    }
}
