//! What this process frees stays its own for a while.

/// As much as this may lie free at the end of a heap, and as much again.
const KEPT: usize = 16 * 1024 * 1024;

/// glibc gives memory back to the system as soon as twice the largest block that was freed so far lies free at the end of a heap, and takes it
/// anew with the next image. That is 40 page faults for each instance of a store request, of 2 µs each in a virtual machine. Its rule is its own
/// (mallopt(3), `M_MMAP_THRESHOLD`); the block that is freed here makes it keep 32 MiB from the start. Other allocators don't mind.
pub fn keep_what_is_freed() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT)));
}
