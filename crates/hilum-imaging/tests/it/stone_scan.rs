//! One simulated stone in a small volume.

use hilum_imaging::phantom::{Kernel, PhantomError, StoneScan, Surroundings, scan_stone};

fn scan(seed: u64) -> StoneScan {
    StoneScan {
        seed,
        diameter_mm: 7.0,
        hu: 900.0,
        slice_thickness_mm: 2.0,
        slice_spacing_mm: 2.0,
        pixel_mm: 0.7,
        kernel: Kernel::Soft,
        noise_hu: 0.0,
        surroundings: Surroundings::Urine,
    }
}

#[test]
fn blur_and_partial_volume_leave_the_contrast_of_a_stone_as_a_whole() {
    for (seed, kernel) in [(1, Kernel::Soft), (2, Kernel::Soft), (3, Kernel::Bone)] {
        for (thickness, spacing) in [(1.0, 1.0), (5.0, 5.0), (5.0, 2.5)] {
            let scanned = scan_stone(&StoneScan {
                kernel,
                slice_thickness_mm: thickness,
                slice_spacing_mm: spacing,
                ..scan(seed)
            })
            .expect("a scan");
            let voxel = scanned.volume.geometry.voxel_volume_mm3();
            // Urine has 5 HU.
            let contrast: f64 = scanned.volume.hu.iter().map(|hu| (f64::from(*hu) - 5.0) * voxel).sum();
            let expected = scanned.stone.volume_mm3 * (scanned.stone.mean_hu - 5.0);
            assert!(
                (contrast / expected - 1.0).abs() < 0.03,
                "{seed} {thickness} {spacing}: {contrast} is not {expected}"
            );
        }
    }
}

#[test]
fn lengths_within_planes_are_no_longer_than_the_largest_and_widths_than_the_lengths() {
    for seed in 0..20 {
        let scanned = scan_stone(&scan(seed)).expect("a scan");
        let largest = scanned.stone.largest_diameter_mm;
        // The largest one is taken over 700 directions, those within planes over 20,000.
        assert!(scanned.axial_diameter_mm <= 1.02 * largest && scanned.coronal_diameter_mm <= 1.02 * largest);
        assert!(scanned.width_mm <= scanned.axial_diameter_mm && scanned.width_mm > 0.3 * scanned.axial_diameter_mm);
        let marked = scanned.truth.labels.iter().filter(|l| **l > 0).count();
        assert_eq!(marked, scanned.stone.voxels);
    }
}

#[test]
fn equal_scans_give_equal_bits_and_what_no_scanner_has_is_refused() {
    let noisy = StoneScan { noise_hu: 20.0, surroundings: Surroundings::KidneyAndFat, ..scan(9) };
    let bits = |scan: &StoneScan| scan_stone(scan).expect("a scan").volume.hu;
    assert_eq!(bits(&noisy), bits(&noisy));
    assert_ne!(bits(&noisy), bits(&StoneScan { seed: 10, ..noisy }));
    for wrong in [
        StoneScan { diameter_mm: 0.5, ..scan(1) },
        StoneScan { pixel_mm: 0.1, ..scan(1) },
        StoneScan { noise_hu: f64::NAN, ..scan(1) },
    ] {
        assert!(matches!(scan_stone(&wrong), Err(PhantomError::OutOfRange { .. })), "{wrong:?}");
    }
}
