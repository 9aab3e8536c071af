import VMRegions

/// Why a change cannot be made, without the details.
enum Refusal: Hashable {
    case noSuchRegion, numberInUse, foreignNumber, noSuchBacking, badRange, overlap, beyondAddressWidth
    case misalignedMapping, outsideRegion, beyondBacking, readOnlyBacking, mappedTwice, backingInUse

    init(_ error: RegionError) {
        self =
            switch error {
            case .noSuchRegion: .noSuchRegion
            case .numberInUse: .numberInUse
            case .foreignNumber: .foreignNumber
            case .noSuchBacking: .noSuchBacking
            case .badRange: .badRange
            case .overlap: .overlap
            case .beyondAddressWidth: .beyondAddressWidth
            case .misalignedMapping: .misalignedMapping
            case .outsideRegion: .outsideRegion
            case .beyondBacking: .beyondBacking
            case .readOnlyBacking: .readOnlyBacking
            case .mappedTwice: .mappedTwice
            case .backingInUse: .backingInUse
            }
    }
}

extension RegionChange {
    /// Which region it is of.
    var region: RegionID {
        switch self {
        case .add(let id, _, _, _, _, _), .remove(let id), .map(let id, _), .unmap(let id), .addMapping(let id, _),
            .removeMappings(let id, _, _), .move(let id, _), .resize(let id, _):
            id
        }
    }
}
