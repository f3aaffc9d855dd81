//! What this process frees stays its own for a while.

/// As much as this may lie free at the end of a heap, and as much again.
const KEPT: usize = 16 * 1024 * 1024;

/// glibc gives memory back to the system as soon as twice the largest block that was freed so far lies free at the end of a heap, and takes it
/// anew with the next image. That is 40 page faults for each instance of a store request, of 2 µs each in a virtual machine. Its rule is its own
/// (mallopt(3), `M_MMAP_THRESHOLD`); the block that is freed here makes it keep 32 MiB from the start. Other allocators don't mind.
pub fn keep_what_is_freed() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT)));
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    /// Pages that this process had to ask the system for so far.
    fn page_faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let behind_the_name = stat.rsplit_once(')').unwrap().1;
        behind_the_name.split_whitespace().nth(7).unwrap().parse().unwrap()
    }

    #[test]
    fn images_that_come_and_go_are_put_where_those_before_were() {
        const IMAGES: usize = 8;
        const BYTES: usize = 528 * 1024;
        let some = || drop(std::hint::black_box(vec![vec![1_u8; BYTES]; IMAGES]));
        keep_what_is_freed();
        some();
        let before = page_faults();
        (0..20).for_each(|_| some());
        let taken = page_faults() - before;
        assert!(taken < (IMAGES * BYTES / 4096) as u64, "{taken} page faults for 20 times {IMAGES} images");
    }
}
