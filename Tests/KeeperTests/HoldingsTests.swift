@preconcurrency import Glibc
import Keeper
import KeeperProtocol
import Primitives
import Testing

@Suite struct HoldingsTests {
    private let a = KeeperAddress("192.0.2.7/24")!
    private let b = KeeperAddress("2001:db8::7/64")!

    /// Milliseconds after a boot that was a while ago.
    private func ms(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: 1_000_000_000_000 + milliseconds * 1_000_000)
    }

    private func configured() -> Holdings {
        var holdings = Holdings()
        let event = Holdings.Event.configured(managed: [a, b], present: [], armed: [.realtime])
        #expect(
            holdings.handle(event, at: ms(0)) == [
                .report(.ready(holding: 0, armed: [.realtime], version: HoldCodec.version))
            ])
        return holdings
    }

    /// `a` held with token 1, added and announced at 0 ms.
    private func holding(until: Int64) -> Holdings {
        var holdings = configured()
        #expect(holdings.handle(.requested(.hold(a, until: ms(until), token: 1)), at: ms(0)) == [.add(a)])
        #expect(holdings.handle(.added(a, isNew: true), at: ms(0)) == [.announce(a)])
        #expect(
            holdings.handle(.announced(a), at: ms(0)) == [
                .report(.held(a, token: 1, at: ms(0), announcedAt: ms(0)))
            ])
        return holdings
    }

    private func refusal(_ code: Int32, _ actions: [Holdings.Action]) -> Bool {
        guard actions.count == 1, case .report(.failed(_, _, code, _)) = actions[0] else { return false }
        return true
    }

    @Test("a hold that is not renewed ends at its instant, not later")
    func expiry() {
        var holdings = holding(until: 50)
        #expect(holdings.nextDeadline == ms(50))
        #expect(holdings.handle(.deadlineReached, at: ms(49)) == [])
        #expect(holdings.handle(.deadlineReached, at: ms(50)) == [.remove(a)])
        #expect(
            holdings.handle(.removed(a), at: ms(51)) == [
                .report(.released(a, token: 1, at: ms(51), cause: .expired))
            ])
        #expect(holdings.nextDeadline == nil && holdings.count == 0)
    }

    @Test("a renewal is silent and moves the end; a new token is answered anew")
    func renewal() {
        var holdings = holding(until: 50)
        #expect(holdings.handle(.requested(.hold(a, until: ms(90), token: 1)), at: ms(20)) == [])
        #expect(holdings.end(of: a) == ms(90))
        #expect(
            holdings.handle(.requested(.hold(a, until: ms(95), token: 2)), at: ms(30)) == [
                .report(.held(a, token: 2, at: ms(0), announcedAt: ms(0)))
            ])
        #expect(holdings.nextDeadline == ms(95))
    }

    @Test("after a pause the ended hold goes first, and a renewal that ended meanwhile never adds")
    func pause() {
        var holdings = holding(until: 50)
        let late = holdings.handle(.requested(.hold(a, until: ms(400), token: 1)), at: ms(900))
        #expect(late.first == .remove(a))
        #expect(!late.contains(.add(a)))
        _ = holdings.handle(.removed(a), at: ms(901))
        #expect(
            refusal(ETIMEDOUT, holdings.handle(.requested(.hold(a, until: ms(901), token: 1)), at: ms(901))))
        #expect(holdings.handle(.requested(.hold(a, until: ms(902), token: 1)), at: ms(901)) == [.add(a)])
    }

    @Test("a hold whose end is past removes what is held")
    func pastHold() {
        var holdings = holding(until: 50)
        #expect(holdings.handle(.requested(.hold(a, until: ms(10), token: 1)), at: ms(20)) == [.remove(a)])
    }

    @Test("holds that are unmanaged, too long, or of an address being removed are refused")
    func refusals() {
        var holdings = holding(until: 500)
        let other = KeeperAddress("192.0.2.8/24")!
        #expect(refusal(EPERM, holdings.handle(.requested(.hold(other, until: ms(9), token: 1)), at: ms(1))))
        #expect(
            refusal(EINVAL, holdings.handle(.requested(.hold(b, until: ms(60_002), token: 1)), at: ms(1))))
        #expect(holdings.handle(.requested(.release(a, token: 2)), at: ms(2)) == [.remove(a)])
        #expect(refusal(EBUSY, holdings.handle(.requested(.hold(a, until: ms(500), token: 3)), at: ms(3))))
        var fresh = Holdings()
        #expect(refusal(EPERM, fresh.handle(.requested(.hold(a, until: ms(9), token: 1)), at: ms(1))))
    }

    @Test("a release is always answered, with its own token")
    func release() {
        var holdings = holding(until: 500)
        #expect(holdings.handle(.requested(.release(a, token: 9)), at: ms(5)) == [.remove(a)])
        let answer = Holdings.Action.report(.released(a, token: 9, at: ms(6), cause: .asked))
        #expect(holdings.handle(.removed(a), at: ms(6)) == [answer])
        #expect(holdings.handle(.requested(.release(a, token: 9)), at: ms(6)) == [answer])
    }

    @Test("announcements repeat at 0.1, 0.5, 2 and 5 s and the kernel lifetime is refreshed each 0.2 s")
    func duties() throws {
        var holdings = holding(until: 6000)
        var announced: [Int64] = []
        var refreshed: [Int64] = []
        while let deadline = holdings.nextDeadline, deadline < ms(6000) {
            let at = (deadline.nanoseconds - ms(0).nanoseconds) / 1_000_000
            for action in holdings.handle(.deadlineReached, at: deadline) {
                if action == .announce(a) { announced.append(at) }
                if action == .refresh(a) { refreshed.append(at) }
            }
        }
        #expect(announced == [100, 500, 2000, 5000])
        #expect(refreshed == Array(stride(from: 200, to: 6000, by: 200)))
        #expect(holdings.handle(.requested(.announce(a)), at: ms(5600)) == [.announce(a)])
        #expect(holdings.handle(.deadlineReached, at: ms(5700)) == [.announce(a)])
        #expect(holdings.handle(.linkReturned, at: ms(5800)) == [.announce(a)])
        #expect(holdings.handle(.requested(.announce(b)), at: ms(5800)) == [])
    }

    @Test(
        "adding that fails is told once and tried each 1 ms for 50 ms, then each 20 ms, while the hold lasts")
    func retries() {
        var holdings = configured()
        _ = holdings.handle(.requested(.hold(a, until: ms(200), token: 1)), at: ms(0))
        let failure = Holdings.Event.addFailed(a, errno: EADDRINUSE, text: "in use")
        #expect(refusal(EADDRINUSE, holdings.handle(failure, at: ms(0))))
        var attempts: [Int64] = []
        while let deadline = holdings.nextDeadline, deadline < ms(200) {
            #expect(holdings.handle(.deadlineReached, at: deadline) == [.add(a)])
            #expect(holdings.handle(failure, at: deadline) == [])
            attempts.append((deadline.nanoseconds - ms(0).nanoseconds) / 1_000_000)
        }
        #expect(attempts == Array(1...50) + [70, 90, 110, 130, 150, 170, 190])
        #expect(holdings.handle(.deadlineReached, at: ms(200)) == [.remove(a)])
    }

    @Test("a vanished address is added again; when that fails it is lost, and held again once it works")
    func vanished() {
        var holdings = holding(until: 5000)
        #expect(holdings.handle(.vanished(a), at: ms(5)) == [.add(a)])
        #expect(holdings.handle(.added(a, isNew: false), at: ms(5)) == [])
        #expect(holdings.handle(.vanished(a), at: ms(6)) == [.add(a)])
        #expect(
            holdings.handle(.addFailed(a, errno: ENETDOWN, text: "down"), at: ms(7)) == [
                .report(.released(a, token: 1, at: ms(7), cause: .lost)),
                .report(.failed(a, token: 1, errno: ENETDOWN, text: "down")),
            ])
        #expect(holdings.handle(.deadlineReached, at: ms(8)) == [.add(a)])
        #expect(holdings.handle(.added(a, isNew: true), at: ms(9)) == [.announce(a)])
        #expect(
            holdings.handle(.announceFailed(a), at: ms(9)) == [
                .report(.held(a, token: 1, at: ms(9), announcedAt: nil))
            ])
    }

    @Test("leftovers are removed, and ready waits for that, trying again where it fails")
    func leftovers() {
        var holdings = Holdings()
        let start = holdings.handle(.configured(managed: [a, b], present: [b, a], armed: []), at: ms(0))
        #expect(start == [.remove(a), .remove(b)])
        #expect(holdings.handle(.removed(a), at: ms(1)) == [])
        #expect(refusal(EPERM, holdings.handle(.removeFailed(b, errno: EPERM, text: "no"), at: ms(1))))
        #expect(holdings.handle(.deadlineReached, at: ms(2)) == [.remove(b)])
        #expect(
            holdings.handle(.removed(b), at: ms(3)) == [
                .report(.ready(holding: 0, armed: [], version: HoldCodec.version))
            ])
    }

    @Test("when the peer is gone everything goes, nothing is added, and the keeper stops")
    func peerGone() {
        var holdings = holding(until: 5000)
        #expect(holdings.handle(.peerClosed, at: ms(9)) == [.remove(a)])
        #expect(refusal(ECANCELED, holdings.handle(.requested(.hold(b, until: ms(99), token: 1)), at: ms(9))))
        #expect(
            holdings.handle(.removed(a), at: ms(10)) == [
                .report(.released(a, token: 1, at: ms(10), cause: .peerGone)), .stop(0),
            ])
        var idle = configured()
        #expect(idle.handle(.terminated, at: ms(1)) == [.stop(0)])
        #expect(idle.handle(.peerClosed, at: ms(2)) == [])
    }

    @Test("a keeper that cannot remove gives up after 3 s and says so by its exit code")
    func farewell() {
        var holdings = holding(until: 5000)
        #expect(holdings.handle(.terminated, at: ms(0)) == [.remove(a)])
        #expect(refusal(EIO, holdings.handle(.removeFailed(a, errno: EIO, text: "no"), at: ms(0))))
        #expect(holdings.handle(.deadlineReached, at: ms(3000)) == [.remove(a), .stop(1)])
    }

    @Test("an address that leaves the managed list is let go of before ready")
    func reconfigured() {
        var holdings = holding(until: 5000)
        #expect(holdings.handle(.configured(managed: [b], present: [], armed: []), at: ms(1)) == [.remove(a)])
        #expect(
            holdings.handle(.removed(a), at: ms(2)) == [
                .report(.released(a, token: 1, at: ms(2), cause: .asked)),
                .report(.ready(holding: 0, armed: [], version: HoldCodec.version)),
            ])
    }
}
