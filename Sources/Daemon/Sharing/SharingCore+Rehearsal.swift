import Cluster
import EventSocket
import NIOCore
import NIOPosix
import Primitives
import Switch

// Whether calls could be brought back through the switch's core database, found out before any are to be.

extension SharingCore {
    /// With a number in it, and by the switch's own hand in its database.
    private static let question = "show channels count"

    /// Writes what a recovery would write and takes it back; opens the table when it could not be opened before.
    func rehearse() {
        guard let calls, let link, let path = databasePath, let runtime, !isRehearsing, !calls.isReviving
        else {
            return
        }
        isRehearsing = true
        link.api(Self.question) { [weak self] result in
            guard let self else { return }
            guard self.runtime == runtime, case .success(let answer) = result else {
                isRehearsing = false
                return
            }
            if let problem = LocalSwitch.databaseProblem(answer.text) {
                rehearsed(problem, runtime)
            } else if let table = calls.table {
                rehearse(table, runtime)
            } else {
                reopen(path, runtime)
            }
        }
    }

    private func rehearse(_ table: RecoveryTable, _ runtime: String) {
        table.rehearse(on: loop).assumeIsolated().whenComplete { [weak self] result in
            guard let self else { return }
            var problem: String?
            if case .failure(let failure) = result { problem = "\(failure)" }
            // The process goes on with the file that it had, however often its event socket is opened.
            if problem == nil, databaseIdentity != table.identity {
                problem = "\(RecoveryTable.replaced(table.path))"
            }
            rehearsed(problem, runtime)
        }
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) { CoreDatabase.room(path: table.path) }
            .assumeIsolated().whenSuccess { [weak self] room in
                guard let self, self.runtime == runtime, room != databaseRoom else { return }
                databaseRoom = room
                watch?.serviceChanged()
            }
    }

    /// What an earlier life left could not be taken out before either.
    private func reopen(_ path: String, _ runtime: String) {
        let opened = NIOThreadPool.singleton.runIfActive(eventLoop: loop) { try RecoveryTable(path: path) }
        let loop = loop
        opened.flatMap { table in
            table.deleteStale(runtime: runtime, on: loop).map { _ in table }
        }.assumeIsolated().whenComplete { [weak self] result in
            guard let self else { return }
            switch result {
            case .success(let table) where self.runtime == runtime:
                use(table)
                calls?.use(table)
                rehearse(table, runtime)
            case .success: isRehearsing = false
            case .failure(let failure): rehearsed("\(failure)", runtime)
            }
        }
    }

    /// Of one process of the switch the file that was opened first counts.
    func use(_ table: RecoveryTable) {
        if databaseIdentity == nil { databaseIdentity = table.identity }
    }

    private func rehearsed(_ problem: String?, _ runtime: String) {
        isRehearsing = false
        guard self.runtime == runtime, problem != databaseProblem else { return }
        databaseProblem = problem
        trouble(
            problem.map { "calls cannot be recovered here: \($0)" } ?? "calls can be recovered here again")
        watch?.serviceChanged()
    }
}
