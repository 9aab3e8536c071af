import Testing

/// What depends on the vectors in use, which are the whole process's: one test at a time.
@Suite("Copies and fills", .serialized, .timeLimit(.minutes(10)))
struct BulkTests {}
