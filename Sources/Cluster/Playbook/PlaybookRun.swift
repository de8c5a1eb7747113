import Calendar
import Primitives

/// One run of a playbook under way: its steps spread out, and how far each of them is.
package struct PlaybookRun: Hashable, Sendable, Codable {
    package enum Phase: Hashable, Sendable, Codable {
        case running
        /// No step begins any more; what was done is undone, newest first.
        case undoing(String)
        /// No step begins any more; what was done stays.
        case stopping(String)
    }
    /// Of the command that started it.
    package var id: Epoch
    package var name: String
    package var summary: String
    /// `user@host`, of the one who started or scheduled it.
    package var who: String
    /// The schedule and the instant it was due at; nil when somebody started it by hand.
    package var schedule: Epoch?
    package var due: WallTime?
    package var began: ClusterTime
    /// By the clock of the leader that started it.
    package var wall: WallTime?
    /// When its window closes; by the cluster's time, so that no step of a wall clock moves it.
    package var until: ClusterTime?
    package var aborts: PlaybookAborts
    package var rollsBack: Bool
    package var phase: Phase
    package var steps: [RunStep]

    package var isRunning: Bool { phase == .running }

    /// Why it does not go on; nil while it does.
    package var trouble: String? {
        switch phase {
        case .running: nil
        case .undoing(let reason), .stopping(let reason): reason
        }
    }
}

/// One step of a run; a `for-each` has become its steps for every item.
package struct RunStep: Hashable, Sendable, Codable {
    package enum Condition: Hashable, Sendable, Codable {
        case waiting
        case begun(Beginning)
        /// With what is worth telling, mostly nothing.
        case done(String?)
        case failed(String)
        /// It may have been done or not; it is not done again.
        case unknown(String)
        case skipped(String)
    }
    package enum Undoing: Hashable, Sendable, Codable {
        case begun(Beginning)
        case done(String)
        case failed(String)
    }
    package struct Beginning: Hashable, Sendable, Codable {
        package var epoch: Epoch
        package var time: ClusterTime
        /// The life of the node that executes it; nil until one was named, and for steps no node executes.
        package var executor: Holder?
    }
    /// In its file.
    package var line: Int
    /// Never a `for-each`; `${item}` is replaced, `${node}` from the step's beginning on.
    package var action: PlaybookAction
    package var timeout: Duration
    package var undo: CommandOrder?
    /// Places of the steps that must be done before, and how long it waits after them.
    package var after: [Int]
    package var pause: Duration
    /// Number of the item in each `for-each` around it, outermost first.
    package var iteration: [Int]
    package var condition = Condition.waiting
    package var undoing: Undoing?
    /// When it was done.
    package var ended: ClusterTime?
    /// The end of what its command wrote.
    package var output = ""
    package var traces = StepTraces()
}

/// What a step has changed in the cluster: what there is to undo.
package struct StepTraces: Hashable, Sendable, Codable {
    package struct Drained: Hashable, Sendable, Codable {
        package var seat: String
        /// Of the drain; nil when there was nothing to drain.
        package var drain: Epoch?
        /// Who is being drained: whoever has the seat when it moves.
        package var node: Holder
        package var isUnderWay: Bool
        /// What the drain left on the node; nil when it was undone.
        package var maintenance: Maintenance?
    }
    package struct Moved: Hashable, Sendable, Codable {
        package var seat: String
        /// Who held the seat before.
        package var from: String
        package var to: String
        /// Whether it was told to move back.
        package var isReturned: Bool
    }
    package struct Lowered: Hashable, Sendable, Codable {
        /// What was in force before; nil is the cluster file's.
        package var former: Duration?
        package var isRestored: Bool
    }
    package var drained: Drained?
    package var moved: Moved?
    package var lowered: Lowered?
    /// The node it took out of maintenance.
    package var undrained: String?

    var isEmpty: Bool { drained == nil && moved == nil && lowered == nil && undrained == nil }
}

/// One beginning of one step: what an execution and its answer are known by.
package struct StepID: Hashable, Sendable, Codable, CustomStringConvertible {
    package var run: Epoch
    /// Its place in the run.
    package var step: Int
    /// Of the command that began it, or that began to undo it.
    package var begun: Epoch

    package init(run: Epoch, step: Int, begun: Epoch) {
        self.run = run
        self.step = step
        self.begun = begun
    }

    package var description: String { "\(run)/\(step + 1)@\(begun)" }
}

extension RunStep {
    package var beginning: Beginning? {
        if case .begun(let beginning) = condition { return beginning }
        return nil
    }

    package var undoBeginning: Beginning? {
        if case .begun(let beginning) = undoing { return beginning }
        return nil
    }

    package var isDone: Bool {
        if case .done = condition { true } else { false }
    }

    /// The command to execute at most once, when doing or undoing it is one.
    package var order: CommandOrder? {
        if undoBeginning != nil { return undo }
        switch action {
        case .run(let order), .notify(.command(let order)): return order
        default: return nil
        }
    }

    /// The node that must execute what has begun; empty is the leader, nil is nobody.
    package var executorName: String? {
        if undoBeginning != nil { return undoesByCommand ? undo?.node : nil }
        guard beginning != nil else { return nil }
        switch action {
        case .run(let order), .notify(.command(let order)): return order.node
        case .notify(.webhook): return ""
        case .fail(let node): return node
        default: return nil
        }
    }

    var undoesByCommand: Bool { isDone && undo != nil }

    /// Whether undoing the run has to look at it.
    package var needsUndo: Bool {
        guard undoing == nil else { return false }
        return traces.drained.map { $0.isUnderWay || $0.maintenance != nil } ?? false
            || traces.moved != nil || traces.lowered?.isRestored == false || undoesByCommand
    }
}

extension PlaybookRun {
    /// Where the step with this beginning is, be it done or undone.
    func place(of id: StepID) -> Int? {
        guard id.run == self.id, steps.indices.contains(id.step) else { return nil }
        let step = steps[id.step]
        let isOurs = step.beginning?.epoch == id.begun || step.undoBeginning?.epoch == id.begun
        return isOurs ? id.step : nil
    }

    /// The newest step that has to be undone; of a run that only stops, one whose drain is still under way.
    package var nextToUndo: Int? {
        switch phase {
        case .running: nil
        case .undoing: steps.lastIndex(where: \.needsUndo)
        case .stopping:
            steps.lastIndex { $0.undoing == nil && $0.traces.drained?.isUnderWay == true }
        }
    }

    /// What is executing or waited for at this place.
    package func id(of place: Int) -> StepID? {
        let step = steps[place]
        guard let beginning = step.undoBeginning ?? step.beginning else { return nil }
        return StepID(run: id, step: place, begun: beginning.epoch)
    }

    /// Whether the steps it comes after are done and their pause is over.
    package func isReady(_ place: Int, at time: ClusterTime) -> Bool {
        let step = steps[place]
        guard step.condition == .waiting else { return false }
        return step.after.allSatisfy { before in
            steps[before].isDone && (steps[before].ended.map { time - $0 >= step.pause } ?? false)
        }
    }

    /// The node the newest drain around this step put into maintenance.
    func drainedNode(for place: Int) -> String? {
        let iteration = steps[place].iteration
        let drain = steps[..<place].last { step in
            step.isDone && step.traces.drained?.maintenance != nil && iteration.starts(with: step.iteration)
        }
        return drain?.traces.drained?.node.name
    }

    /// Nodes that are out of service because of the run: their absence is no failure.
    package func ownNodes(in state: ControlState) -> [String] {
        steps.compactMap { step in
            if let drained = step.traces.drained {
                let isOut =
                    drained.isUnderWay
                    || drained.maintenance != nil
                        && state.member(drained.node.name)?.maintenance == drained.maintenance
                return isOut ? drained.node.name : nil
            }
            if case .fail(let node) = step.action, step.isDone || step.beginning != nil { return node }
            return nil
        }
    }
}
