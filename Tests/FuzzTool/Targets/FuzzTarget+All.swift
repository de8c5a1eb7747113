extension FuzzTarget {
    /// Every target, in the order of `script/fuzz --list`.
    static let all: [FuzzTarget] =
        frames + control + replication + limits + eventSocket + freeswitch + dns + files + keeper + service
}
