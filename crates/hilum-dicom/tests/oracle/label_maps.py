"""Compares the label maps that dcmqi made of a segmentation with what was marked."""
import json
import pathlib
import sys

import nibabel
import numpy as np

for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    expected = json.loads((folder / "expected.json").read_text())["places"]
    voxels = 0
    for number, places in enumerate(expected, 1):
        image = nibabel.load(folder / f"{number}.nii.gz")
        marked = np.argwhere(np.asarray(image.dataobj) > 0)
        have = nibabel.affines.apply_affine(image.affine, marked) * [-1, -1, 1]
        want = np.array(places)
        assert have.shape == want.shape, (folder.name, number, have.shape, want.shape)
        order = lambda a: a[np.lexsort(np.round(a, 2).T)]
        assert np.abs(order(have) - order(want)).max() < 1e-3, (folder.name, number)
        voxels += len(marked)
    print(f"{folder.name}: {len(expected)} segments, {voxels} voxels")
