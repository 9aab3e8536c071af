import SystemPackage
import VMAddressSpace
import VMDirtyBitmap
import VMHost

/// RAM of a guest that cannot be had.
public enum GuestRAMError: Error, Hashable, CustomStringConvertible {
    /// The host gives no memory for a range.
    case host(MemoryRange, HostMemoryError)
    /// There is no room for the bitmap of a range.
    case bitmap(MemoryRange, BitmapError)
    /// The ranges overlap.
    case map(RegionMapError)
    /// The handlers that make faults of it errors cannot be installed: see `GuestMemory.installFaultHandlers()`.
    case faultHandlers(Errno)

    public var description: String {
        switch self {
        case .host(let range, let error): "no RAM for the guest at \(range): \(error)"
        case .bitmap(let range, let error): "no RAM for the guest at \(range): \(error)"
        case .map(let error): "no RAM for the guest: \(error)"
        case .faultHandlers(let errno):
            "cannot handle faults of the guest's RAM (\(errno.symbol)): "
                + "something else takes SIGSEGV and SIGBUS, or forbids handlers of them"
        }
    }
}

extension MemoryRegion where Dirty: NewBitmap {
    /// Zeroed RAM of the host's own, whose pages are provided as they are first touched, with a bitmap of its own.
    public convenience init(
        anonymous range: MemoryRange, options: HostMapping.Options = []
    ) throws(GuestRAMError) {
        let mapping: HostMapping
        do throws(HostMemoryError) {
            mapping = try HostMapping(anonymous: range.count, options: options)
        } catch {
            throw .host(range, error)
        }
        let bitmap: Dirty
        do throws(BitmapError) {
            bitmap = try Dirty(byteCount: range.count)
        } catch {
            throw .bitmap(range, error)
        }
        do throws(RegionMapError) {
            try self.init(range, MappedMemory(mapping), bitmap: bitmap)
        } catch {
            throw .map(error)
        }
    }
}

extension RegionMap {
    /// Zeroed RAM at each of these ranges, in any order, with bitmaps for tracking what is written.
    public convenience init(
        anonymous ranges: [MemoryRange], options: HostMapping.Options = []
    ) throws(GuestRAMError) {
        var regions: [any GuestMemoryRegion] = []
        for range in ranges.sorted() {
            regions.append(try MemoryRegion<AtomicBitmap>(anonymous: range, options: options))
        }
        do throws(RegionMapError) {
            try self.init(regions)
        } catch {
            throw .map(error)
        }
    }

    /// The ranges of guest-physical addresses with memory behind them, ascending.
    public var ranges: [MemoryRange] { regions.map(\.range) }

    /// Their total in bytes.
    public var byteCount: UInt64 { regions.reduce(0) { $0 + $1.range.count } }
}

extension GuestMemory {
    /// A handle to RAM of its own: see `RegionMap.init(anonymous:options:)`.
    public init(anonymous ranges: [MemoryRange], options: HostMapping.Options = []) throws(GuestRAMError) {
        do throws(Errno) {
            try Self.installFaultHandlersOnce()
        } catch {
            throw .faultHandlers(error)
        }
        self.init(GuestMemoryAtomic(try RegionMap(anonymous: ranges, options: options)))
    }

    /// The memory map in force.
    public var regionMap: RegionMap { map.memory().retained() }
}
