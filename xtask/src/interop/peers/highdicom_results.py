"""What highdicom reads out of a study's segmentation and report, in the words of ui/e2e/cornerstone.mjs.

Arguments: http://host:port, a token, the study's UID. Prints one line of JSON.
"""

import hashlib
import io
import json
import sys

import highdicom as hd
import numpy as np
import pydicom
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session

base, token, study = sys.argv[1:4]
session = create_session()
session.headers["Authorization"] = f"Bearer {token}"
client = DICOMwebClient(f"{base}/dicom-web", session=session)


def only(modality):
    (series,) = client.search_for_series(study, search_filters={"Modality": modality})
    (instance,) = client.retrieve_series(study, series["0020000E"]["Value"][0])
    file = io.BytesIO()
    instance.save_as(file, enforce_file_format=True)
    file.seek(0)
    return file


seg = hd.seg.segread(only("SEG"))
source = str(seg.ReferencedSeriesSequence[0].SeriesInstanceUID)
images = [pydicom.Dataset.from_json(one) for one in client.retrieve_series_metadata(study, source)]
row, column = np.array(images[0].ImageOrientationPatient, float).reshape(2, 3)
images.sort(key=lambda image: np.dot(np.cross(row, column), np.array(image.ImagePositionPatient, float)))
pixels = seg.get_pixels_by_source_instance(
    [image.SOPInstanceUID for image in images], ignore_spatial_locations=True, assert_missing_frames_are_empty=True
).astype(np.uint8)

segments = []
for at, number in enumerate(seg.segment_numbers):
    mask = np.ascontiguousarray(pixels[..., at])
    # By the places that the frames state themselves, whatever image they were made from.
    volume = seg.get_volume(segment_numbers=[number], combine_segments=True)
    places = volume.map_indices_to_reference(np.argwhere(np.asarray(volume.array)))
    segments.append(
        {
            "number": int(number),
            "label": seg.get_segment_description(number).segment_label,
            "slices": {str(z): int(inside) for z, inside in enumerate(mask.sum(axis=(1, 2))) if inside},
            "voxels": int(mask.sum()),
            "sha256": hashlib.sha256(mask.tobytes()).hexdigest(),
            "volume_mm3": len(places) * float(np.prod(volume.spacing)),
            "centroid_mm": [float(one) for one in places.mean(axis=0)],
        }
    )

groups = []
for group in hd.sr.srread(only("SR")).content.get_volumetric_roi_measurement_groups():
    numbers = [
        {
            "concept": one.name.value,
            "derivation": one.derivation.value if one.derivation else None,
            "value": float(one.value),
            "unit": one.unit.value,
        }
        for one in group.get_measurements()
    ]
    (segment,) = group.referenced_segment.referenced_segment_numbers
    groups.append(
        {
            "tracking_id": group.tracking_identifier,
            "tracking_uid": group.tracking_uid,
            "segment": int(segment),
            "numbers": numbers,
        }
    )
print(json.dumps({"segments": segments, "groups": groups}))
