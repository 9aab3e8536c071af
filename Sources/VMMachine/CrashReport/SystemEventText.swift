/// What `KVM_EXIT_SYSTEM_EVENT` reports (KVM API document, section 5).
enum SystemEventText {
    static func sentence(_ type: UInt32) -> String {
        let what: String? =
            switch type {
            case 1: "shut its system down"
            case 2: "reset its system"
            case 3: "reported a crash of its system"
            case 4: "asked to be woken, having been suspended"
            case 5: "asked to be suspended"
            case 6: "ended itself as a confidential (SEV) guest"
            case 7: "met a fatal error as a confidential (TDX) guest"
            default: nil
            }
        return "\(what ?? "reported an event of its system") (event type \(type))"
    }
}
