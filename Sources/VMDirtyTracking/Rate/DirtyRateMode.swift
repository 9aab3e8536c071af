/// How the rate at which a guest writes pages is measured, by the names that QEMU's `calc-dirty-rate` has for it.
public enum DirtyRateMode: String, CaseIterable, Codable, Sendable {
    /// Some pages, chosen at random, are read at the start and at the end of an interval, and tell how many have changed:
    /// an estimate. The guest is not tracked and loses nothing but what reading takes of the host. A page that was written with
    /// what it had is not seen.
    case pageSampling = "page-sampling"
    /// All pages that were written are counted, by the kernel's dirty log.
    case dirtyBitmap = "dirty-bitmap"
    /// The same, by dirty rings, which tell the vCPU as well.
    case dirtyRing = "dirty-ring"
}
