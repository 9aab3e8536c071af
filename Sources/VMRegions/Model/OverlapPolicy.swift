/// Which regions may overlap. In either case the one with the highest priority is seen, of equal ones the oldest.
public enum OverlapPolicy: String, Hashable, Sendable, Codable, CaseIterable {
    /// A region with a higher priority contains all of those beneath that it overlaps, and equal ones have the same range:
    /// of each region all is seen, or nothing.
    case nested
    /// Any overlap.
    case layered
}
