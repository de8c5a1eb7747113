/// The variable of a channel that was parked for a move of its address: its value is the address's name. Revived legs have none.
package enum WaitingMark {
    package static let variable = "fsdns_waiting"
}
