import Lab

// What a crowd of strangers on every listener of a machine costs those who may be there.

extension Bench {
    private static let strangers = 1000

    /// 1,000 connections on each listener, half of them silent and half coming and going, all without a password or the
    /// key; and how long somebody who has one waits, from connecting to his answer.
    func crowds() throws -> [Row] {
        var plan = ClusterPlan()
        plan.nodes = 4
        plan.switches = true
        let cluster = try BenchCluster(plan)
        defer { cluster.lab.close() }
        let lab = cluster.lab
        let host = lab.hosts[0]
        let ring = host.machine.addresses[0]
        let listeners = ["127.0.0.1:6380", "127.0.0.1:8121", "\(ring):5405", "\(ring):5406"]
        try host.machine.put(Self.crowd, in: "crowd.py")
        try host.machine.put(Self.client, in: "client.py")
        let seconds = isQuick ? 10.0 : 40
        func measure(_ name: String) throws -> [Row] {
            let text = try host.machine.check(
                [
                    "python3", host.machine.directory + "/client.py", "\(seconds)", SwitchProcess.ownPassword,
                    host.controlPath,
                ], seconds: seconds + 60)
            return text.split(separator: "\n").map { line in
                let words = line.split(separator: " ")
                let sample = Sample(words.dropFirst().compactMap { Double($0) })
                Self.tell(
                    "\(name): \(words[0]): median \(sample.median ?? 0) ms, max \(sample.maximum ?? 0) ms")
                return Row(name: "\(words[0]), \(name)", sample: sample, target: "max < 100")
            }
        }
        var rows = try measure("nobody else there")
        let moment = BootTime.now
        let crowd = try host.machine.start(
            ["python3", host.machine.directory + "/crowd.py", "\(Self.strangers)", "\(seconds + 20)"]
                + listeners,
            outputFile: "crowd.log", errorsFile: "crowd.log")
        pause(milliseconds: 5000)
        rows += try measure("\(Self.strangers) strangers on each listener")
        guard host.machine.exitStatus(of: crowd) == 0 else {
            throw LabFailure("the crowd ended early: \(host.machine.text(of: "crowd.log"))")
        }
        Self.tell("the crowd: \(host.machine.text(of: "crowd.log").split(separator: "\n").last ?? "")")
        let lost = try leasesLost(in: lab, since: moment)
        rows.append(
            Row(name: "leases lost meanwhile", unit: "", sample: Sample([Double(lost)]), target: "0"))
        return rows
    }

    /// Keeps so many connections to each listener; every second of them is closed and made anew all the time.
    private static let crowd = """
        import os, random, resource, select, socket, sys, time
        count, seconds, places = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        end, made = time.monotonic() + seconds, 0
        def open_one(place):
            host, port = place.rsplit(':', 1)
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((host, int(port)))
            return s
        slow = [(p, open_one(p)) for p in places for _ in range(count // 2)]
        fast = [(p, open_one(p)) for p in places for _ in range(count // 2)]
        at = 0
        while time.monotonic() < end:
            for _ in range(20):
                place, s = fast[at]
                try:
                    s.send(os.urandom(random.choice((1, 16, 200))))
                except OSError:
                    pass
                s.close()
                fast[at] = (place, open_one(place))
                at, made = (at + 1) % len(fast), made + 1
                # Who was sent away comes again.
                i = random.randrange(len(slow))
                watch = select.poll()
                watch.register(slow[i][1], select.POLLIN)
                if watch.poll(0):
                    slow[i][1].close()
                    slow[i] = (slow[i][0], open_one(slow[i][0]))
                    made += 1
            time.sleep(0.02)
        print(made, 'connections')
        """

    /// Each line: what was asked, and the milliseconds each time took.
    private static let client = """
        import json, socket, sys, time
        seconds, password, control = float(sys.argv[1]), sys.argv[2], sys.argv[3]
        def until(s, mark):
            data = b''
            while mark not in data:
                part = s.recv(65536)
                if not part:
                    raise OSError('closed')
                data += part
            return data
        def limits():
            s = socket.create_connection(('127.0.0.1', 6380), 5)
            s.sendall(b'*2\\r\\n$4\\r\\nAUTH\\r\\n$%d\\r\\n%s\\r\\n' % (len(password), password.encode()))
            until(s, b'+OK\\r\\n')
            s.sendall(b'*1\\r\\n$4\\r\\nPING\\r\\n')
            until(s, b'PONG')
            s.close()
        def events():
            s = socket.create_connection(('127.0.0.1', 8121), 5)
            until(s, b'auth/request')
            s.sendall(b'auth %s\\n\\n' % password.encode())
            until(s, b'+OK')
            s.close()
        def console():
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(5)
            s.connect(control)
            s.sendall(b'{"version":1,"body":{"rings":{}}}\\n')
            until(s, b'\\n')
            s.close()
        ways = {'limit-service': limits, 'event-socket': events, 'control-socket': console}
        took = {name: [] for name in ways}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, way in ways.items():
                start = time.monotonic()
                try:
                    way()
                    took[name].append((time.monotonic() - start) * 1000)
                except OSError:
                    took[name].append(99999)
            time.sleep(0.05)
        for name, some in took.items():
            print(name, *('%.2f' % one for one in some))
        """
}
