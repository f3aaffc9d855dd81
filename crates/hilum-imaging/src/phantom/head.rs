//! Skull, brain with ventricles, orbits, sinuses, mandible, airway, thyroid and neck vessels: coarse, but recognisable.

use super::anatomy::Anatomy;
use super::dice::Purpose;
use super::paint::Fill;
use super::shapes::{Point, Shape, plus, spline};

/// Paints head and neck over the trunk's top.
pub(super) fn paint(anatomy: &mut Anatomy) {
    if anatomy.scans(665.0, 880.0) {
        paint_head(anatomy);
    }
    if anatomy.scans(545.0, 720.0) {
        paint_neck(anatomy);
    }
}

fn paint_head(anatomy: &mut Anatomy) {
    let mut dice = anatomy.dice(Purpose::Head);
    let k = 1.0 + 0.03 * dice.normal();
    let c: Point = [0.0, -12.0, 775.0];
    let at = |p: Point| plus(c, p);
    let r = [72.0 * k, 92.0 * k, 78.0];
    let more = |by: f64| r.map(|v| v + by);
    // Face, scalp, skull (two tables with diploe), cerebrospinal fluid, brain.
    for (centre, radii, hu) in
        [([0.0, -62.0, -55.0], [56.0, 48.0, 56.0], 42.0), ([0.0, -98.0, -48.0], [14.0, 22.0, 22.0], 20.0)]
    {
        anatomy.scene.add_organ(Shape::ellipsoid(at(centre), radii), hu, 10.0, 8.0, (1.5, 12.0), None);
    }
    let head = Shape::ellipsoid(c, more(6.0));
    anatomy.note_organ("head", &head);
    anatomy.scene.add_organ(head, -15.0, 30.0, 6.0, (1.0, 18.0), None);
    for (by, hu) in [(0.0, 1250.0), (-2.2, 600.0), (-4.8, 1250.0), (-6.8, 10.0)] {
        anatomy.scene.add(Shape::ellipsoid(c, more(by)), hu);
    }
    let vein = anatomy.by_phase([0.0, 18.0, 12.0, 8.0]);
    let brain = Shape::ellipsoid(c, more(-8.5));
    anatomy.note_organ("brain", &brain);
    anatomy.scene.add_organ(brain, 37.0 + vein * 0.2, 5.0, 9.0, (1.6, 7.0), None);
    anatomy.scene.add_organ(
        Shape::ellipsoid(at([0.0, 2.0, 8.0]), [44.0 * k, 62.0 * k, 40.0]),
        28.0,
        3.0,
        9.0,
        (4.0, 9.0),
        None,
    );
    for s in [-1.0, 1.0] {
        anatomy.scene.add(Shape::ellipsoid(at([24.0 * s, -6.0, 2.0]), [9.0, 17.0, 13.0]), 39.0);
        let horn = spline(
            &[
                at([11.0 * s, -38.0, 12.0]),
                at([9.0 * s, -10.0, 20.0]),
                at([17.0 * s, 22.0, 14.0]),
                at([26.0 * s, 40.0, 2.0]),
            ],
            5.0,
        );
        anatomy.scene.add_tube(&horn, |_| 5.2, Fill::Tissue { hu: 6.0, variation: 2.0, grain: 8.0 });
        anatomy.scene.add(Shape::ellipsoid(at([20.0 * s, 30.0, 6.0]), [2.0, 3.5, 2.0]), 190.0);
        // Orbits with globes, maxillary sinuses, mastoids, zygoma, ears.
        anatomy.scene.add(Shape::ellipsoid(at([32.0 * s, -76.0, -42.0]), [20.0, 24.0, 19.0]), 500.0);
        anatomy.scene.add(Shape::ellipsoid(at([32.0 * s, -78.0, -42.0]), [17.5, 24.0, 17.0]), -85.0);
        anatomy.scene.add(Shape::ellipsoid(at([32.0 * s, -90.0, -42.0]), [12.5, 12.5, 12.5]), 14.0);
        anatomy.scene.add(Shape::capsule(at([30.0 * s, -78.0, -42.0]), at([14.0 * s, -52.0, -40.0]), 2.6, 2.2), 34.0);
        anatomy.scene.add(Shape::ellipsoid(at([27.0 * s, -70.0, -76.0]), [18.0, 18.0, 18.0]), 450.0);
        anatomy.scene.add(Shape::ellipsoid(at([27.0 * s, -70.0, -76.0]), [16.5, 16.5, 16.5]), -960.0);
        anatomy.scene.push(
            Shape::ellipsoid(at([52.0 * s, 14.0, -62.0]), [15.0, 20.0, 18.0]),
            Fill::Stool { hu: 650.0, gas: 0.1 },
            None,
            None,
        );
        anatomy.scene.add(Shape::capsule(at([44.0 * s, -82.0, -58.0]), at([66.0 * s, -28.0, -58.0]), 4.0, 3.5), 800.0);
        anatomy.scene.add(Shape::ellipsoid(at([78.0 * s, 6.0, -50.0]), [5.0, 14.0, 24.0]), 10.0);
        // Skull base and mandible with teeth.
        anatomy.scene.add_organ(
            Shape::capsule(at([12.0 * s, -10.0, -56.0]), at([50.0 * s, 6.0, -52.0]), 7.0, 9.0),
            900.0,
            200.0,
            4.0,
            (2.0, 6.0),
            None,
        );
        let jaw = spline(
            &[
                at([52.0 * s, -18.0, -70.0]),
                at([50.0 * s, -30.0, -112.0]),
                at([32.0 * s, -72.0, -124.0]),
                at([0.0, -96.0, -126.0]),
            ],
            5.0,
        );
        anatomy.scene.add_tube(&jaw, |_| 7.0, Fill::Tissue { hu: 1150.0, variation: 80.0, grain: 6.0 });
        anatomy.scene.add_tube(&jaw, |_| 4.2, Fill::Tissue { hu: 350.0, variation: 80.0, grain: 4.0 });
        for t in 0..7 {
            let angle = f64::from(t) / 7.0 * 1.35;
            let tooth = at([s * 26.0 * angle.sin(), -64.0 - 28.0 * angle.cos(), -106.0]);
            anatomy.scene.add(Shape::capsule(tooth, plus(tooth, [0.0, 0.0, 9.0]), 3.0, 3.0), 1900.0);
            anatomy.scene.add(Shape::capsule(plus(tooth, [0.0, 0.0, -10.0]), tooth, 2.6, 2.8), 1700.0);
        }
    }
    for (centre, radii, hu) in [
        ([0.0, 20.0, 4.0], [2.2, 2.6, 2.2], 220.0),
        ([0.0, -80.0, -70.0], [13.0, 22.0, 26.0], -500.0),
        ([0.0, -88.0, -18.0], [16.0, 6.0, 14.0], -940.0),
        ([0.0, -48.0, -52.0], [12.0, 12.0, 10.0], -940.0),
        ([0.0, 18.0, -52.0], [14.0, 14.0, 28.0], 34.0),
        ([0.0, 18.0, -24.0], [7.0, 4.0, 7.0], 5.0),
        ([0.0, -66.0, -112.0], [18.0, 24.0, 14.0], 45.0),
    ] {
        anatomy.scene.add_organ(Shape::ellipsoid(at(centre), radii), hu, 6.0, 5.0, (1.0, 8.0), None);
    }
    // Foramen magnum: cord leaves the skull.
    anatomy.scene.add(Shape::capsule(at([0.0, 26.0, -50.0]), [0.0, 26.0, 680.0], 13.0, 10.0), 8.0);
    anatomy.scene.add(Shape::capsule(at([0.0, 24.0, -50.0]), [0.0, 26.0, 680.0], 8.0, 6.0), 34.0);
}

fn paint_neck(anatomy: &mut Anatomy) {
    let artery = anatomy.by_phase([42.0, 300.0, 150.0, 95.0]);
    let vein = anatomy.by_phase([40.0, 120.0, 155.0, 95.0]);
    let airway = [
        ([0.0, -12.0, 556.0], [0.0, -26.0, 628.0], 8.5),
        ([0.0, -26.0, 628.0], [0.0, -30.0, 665.0], 9.5),
        ([0.0, -30.0, 665.0], [0.0, -36.0, 712.0], 10.5),
    ];
    for side in [-1.0, 1.0] {
        for (from, to, r, hu) in [
            ([22.0, -12.0, 550.0], [30.0, -18.0, 700.0], 3.6, artery),
            ([30.0, -14.0, 550.0], [36.0, -12.0, 700.0], 5.5, vein),
            ([20.0, -40.0, 560.0], [48.0, 10.0, 690.0], 8.0, 56.0),
            ([14.0, -26.0, 592.0], [17.0, -22.0, 622.0], 8.0, anatomy.by_phase([105.0, 190.0, 170.0, 140.0])),
            ([40.0, -30.0, 676.0], [38.0, -36.0, 690.0], 11.0, 35.0),
            ([56.0, -6.0, 690.0], [52.0, -6.0, 722.0], 12.0, -5.0),
            ([30.0, 28.0, 570.0], [26.0, 34.0, 700.0], 14.0, 52.0),
        ] {
            anatomy
                .scene
                .add(Shape::capsule([from[0] * side, from[1], from[2]], [to[0] * side, to[1], to[2]], r, r), hu);
        }
        anatomy.scene.add(Shape::capsule([3.0 * side, -46.0, 640.0], [22.0 * side, -24.0, 648.0], 2.4, 2.0), 160.0);
    }
    for (from, to, r) in airway {
        anatomy.scene.add(Shape::capsule(from, to, r + 2.0, r + 2.0), 45.0);
        anatomy.scene.add(Shape::capsule(from, to, r, r), -990.0);
    }
    // Hyoid bone and oesophagus.
    anatomy.scene.add_tube(
        &spline(&[[-20.0, -30.0, 672.0], [0.0, -52.0, 668.0], [20.0, -30.0, 672.0]], 4.0),
        |_| 2.6,
        Fill::Tissue { hu: 550.0, variation: 60.0, grain: 4.0 },
    );
    anatomy.scene.add(Shape::capsule([4.0, 0.0, 550.0], [0.0, -10.0, 630.0], 5.0, 5.0), 35.0);
}
