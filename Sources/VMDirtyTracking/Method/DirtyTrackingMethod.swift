/// How the kernel says which pages the guest has written (KVM API document, sections 4.8, 4.117 and 8.29).
public enum DirtyTrackingMethod: String, CaseIterable, Codable, Sendable {
    /// `KVM_GET_DIRTY_LOG`: a bitmap for each slot. Reading it protects every page that was written, at once. Any host has it.
    case log
    /// `KVM_CLEAR_DIRTY_LOG`: the same bitmap, with the protecting apart, in pieces, so that the guest is not held up for
    /// long; and a start that protects nothing, where every page is to count as written.
    case manual
    /// A ring of pages for each vCPU. Costs by what was written, not by how much memory there is, and knows which vCPU it was;
    /// a guest that writes much exits to have its ring emptied. It has to be chosen when the machine is made.
    case ring
}

/// Which pages count as written when tracking begins.
public enum DirtyBaseline: Sendable {
    /// None: what is reported is what is written from then on.
    case clean
    /// All: for who copies the memory anyhow, and then what is written meanwhile. With `DirtyTrackingMethod.manual` it also
    /// makes starting cheap.
    case dirty
}
