import BuiltInGuests
import Testing
import VMBoot
import VMMachine

/// A machine with a built-in guest and a minute to run.
func makeMachine(
    _ guest: String, _ change: (inout MachineConfiguration) -> Void = { _ in },
    console: CollectingConsole = CollectingConsole()
) throws -> Machine {
    var configuration = MachineConfiguration(guest: guest)
    configuration.timeout = TimeLimit("600s")
    change(&configuration)
    let builtIn = try #require(BuiltInGuest(named: guest))
    return try Machine(configuration, image: GuestImage(name: guest, bytes: builtIn.bytes), console: console)
}
