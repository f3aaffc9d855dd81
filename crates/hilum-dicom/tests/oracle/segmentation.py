"""Compares segmentations with what was marked: by pydicom alone, and by highdicom against the source images."""
import json
import pathlib
import sys

import highdicom as hd
import numpy as np
import pydicom

for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    expected = json.loads((folder / "expected.json").read_text())
    data = pydicom.dcmread(folder / "seg.dcm")
    shared = data.SharedFunctionalGroupsSequence[0]
    row, column = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    down, right = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    frames = data.pixel_array.reshape(-1, data.Rows, data.Columns)
    found = {}
    for frame, groups in zip(frames, data.PerFrameFunctionalGroupsSequence):
        assert frame.any(), "an empty frame"
        number = groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        origin = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        for y, x in np.argwhere(frame):
            found.setdefault(number, []).append(origin + row * right * x + column * down * y)
    for number, places in enumerate(expected["places"], 1):
        have, want = np.array(found[number]), np.array(places)
        assert have.shape == want.shape, (folder.name, number, have.shape, want.shape)
        order = lambda a: a[np.lexsort(np.round(a, 3).T)]
        assert np.abs(order(have) - order(want)).max() < 1e-4, (folder.name, number)

    # highdicom, by the instances that the frames say they were derived from.
    images = [pydicom.dcmread(path) for path in (folder / "images").iterdir()]
    normal = np.cross(row, column)
    images.sort(key=lambda image: np.dot(normal, np.array(image.ImagePositionPatient, float)))
    seg = hd.seg.segread(folder / "seg.dcm")
    pixels = seg.get_pixels_by_source_instance(
        [image.SOPInstanceUID for image in images], ignore_spatial_locations=True, assert_missing_frames_are_empty=True
    )
    want = np.zeros(pixels.shape, bool)
    forwards = np.dot(normal, np.array(expected["places"][2][2]) - np.array(expected["places"][2][0])) > 0
    for number, voxels in enumerate(expected["voxels"]):
        for z, y, x in voxels:
            want[z if forwards else len(images) - 1 - z, y, x, number] = True
    assert (pixels.astype(bool) == want).all(), folder.name
    assert seg.segmented_property_types == [hd.sr.CodedConcept("56381008", "SCT", "Calculus")]
    assert [s.tracking_id for s in seg.SegmentSequence] == ["stone 1", "stone 2", "stone 3"]
    region = seg.SegmentSequence[0].anatomic_regions[0]
    assert (region.value, region.AnatomicRegionModifierSequence[0].CodeMeaning) == ("64033007", "Left")
    assert seg.segmentation_type == hd.seg.SegmentationTypeValues.BINARY

    # highdicom, as a volume of its own geometry.
    stones = seg.get_volume(segment_numbers=[1], combine_segments=True)
    inside = np.argwhere(np.asarray(stones.array) == 1)
    have = stones.map_indices_to_reference(inside)
    want = np.array(expected["places"][0])
    assert np.abs(order(have) - order(want)).max() < 1e-3, folder.name
    print(f"{folder.name}: {len(found)} segments, {sum(map(len, found.values()))} voxels")
