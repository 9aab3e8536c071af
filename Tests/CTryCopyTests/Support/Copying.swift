import CTryCopy
import CTryCopy.Vectors

/// The two copies, which differ only in the operand they guard.
enum Copying: CaseIterable {
    case into, outOf

    func copy(
        to destination: UnsafeMutableRawPointer, from source: UnsafeRawPointer, _ count: Int
    ) -> ctrycopy_result {
        switch self {
        case .into: ctrycopy_copy_in(destination, source, count)
        case .outOf: ctrycopy_copy_out(destination, source, count)
        }
    }

    var guardsSource: Bool { self == .into }
    var guardsDestination: Bool { self == .outOf }
}

/// Which registers long copies and fills use. The choice holds for the whole process.
enum Vectors: CaseIterable {
    case sse2, avx2

    func choose() { ctrycopy_use_avx2(self == .avx2) }
}

/// Counts at and around every change of method.
let counts = Array(0...288) + [383, 384, 385, 511, 512, 513, 1000, 4095, 4096, 4097, 8191]
