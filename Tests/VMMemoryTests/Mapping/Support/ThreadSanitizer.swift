import Glibc

/// What the thread sanitizer's presence forbids a test to do.
enum ThreadSanitizer {
    /// Whether it watches this process. It keeps most addresses for itself and maps memory of its own at any time, so
    /// huge reservations and limits on mappings do not go with it.
    static let isActive = dlsym(nil, "__tsan_init") != nil
}
