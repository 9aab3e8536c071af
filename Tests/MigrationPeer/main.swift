import Glibc
import VMMigration

// One side of a migration of the guest `dirty`, for tests that end it at a point of their choosing.
//
//     MigrationPeer source|destination URI STAGE STALL-MILLISECONDS [-- guest arguments]
//     MigrationPeer relay URI TARGET-URI
//
// At STAGE it stops itself (SIGSTOP); "none" is no stage. Standard output has what the guest prints, and what happens between
// the control characters 1 and 2. Standard input is the guest's.
signal(SIGPIPE, SIG_IGN)
let arguments = CommandLine.arguments
if arguments.count == 4, arguments[1] == "relay" {
    do {
        try RelaySession.run(MigrationURI(arguments[2]), to: MigrationURI(arguments[3]))
        exit(0)
    } catch {
        Marker.write("error: \(error)")
        exit(1)
    }
}
guard arguments.count >= 5, let milliseconds = Int(arguments[4]), ["source", "destination"].contains(arguments[1])
else {
    Marker.write("usage: MigrationPeer source|destination URI STAGE STALL-MILLISECONDS [-- ARGUMENTS]")
    exit(64)
}
let session = PeerSession(
    stage: arguments[3], stallTimeout: .milliseconds(milliseconds),
    guestArguments: Array(arguments.dropFirst(5).drop { $0 == "--" }))
do {
    let uri = try MigrationURI(arguments[2])
    if arguments[1] == "source" { try session.runSource(uri) } else { try session.runDestination(uri) }
} catch {
    Marker.write("error: \(error)")
    exit(1)
}
