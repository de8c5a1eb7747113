import Primitives

// Makes name servers say what they should.

extension Node {
    /// - Parameter asked: something about the zone itself happened.
    mutating func reconcileZone(at now: Instant, asked: Bool) {
        guard isLeader, effective.isLeadershipCommitted, state?.settings.dns != nil,
            let view = view(at: now)
        else { return }
        let look = ZoneReconciler.Look(
            applied: applied, published: view.state.seats.map(view.publishedAddresses))
        guard asked || zone.wantsLook(look, at: now), let context = zoneContext(view) else { return }
        perform(zone.reconcile(look, context))
    }

    mutating func zoneRead(_ id: UInt64, _ readings: [ServerReading], at now: Instant) {
        perform(zone.read(id, readings, view(at: now).flatMap(zoneContext)))
    }

    mutating func zoneUpdated(_ id: UInt64, _ outcome: ZoneUpdateOutcome, at now: Instant) {
        if zoneTurns.updating == id {
            endZoneTurn(outcome)
        } else {
            perform(
                zone.updated(id, outcome, state?.settings.dns?.servers.first, applied: applied, at: now))
        }
    }

    /// What the epoch record says of an update of now.
    var zoneEpoch: Epoch { Epoch(term: raft.term, index: applied.index) }

    private func zoneContext(_ view: ClusterView) -> ZoneReconciler.Context? {
        view.desiredZone.map {
            ZoneReconciler.Context(desired: $0, epoch: zoneEpoch, applied: applied, now: view.now)
        }
    }

    private mutating func perform(_ steps: [ZoneReconciler.Step]) {
        for step in steps {
            switch step {
            case .read(let id, let questions): effects.append(.readZone(id: id, questions))
            case .update(let id, let update): effects.append(.updateZone(id: id, update))
            case .wrote: endOwnZoneTrouble()
            case .report(let kind, let text, let epoch):
                if let dns = state?.settings.dns { report(kind, dns.zone, text, epoch: epoch) }
            }
        }
    }
}
