"""Every method of dicomweb-client on one study of CT files; pydicom reads every answer. Fails at the first thing that is not so.

Arguments: the service's address, a folder with the files (Explicit VR Little Endian, one study, one series) of a patient with a
Korean name, a token. Ends with the study deleted, so that it can be run again.
"""

import io
import pathlib
import sys

import numpy as np
import pydicom
from dicomweb_client.api import DICOMwebClient
from PIL import Image

client = DICOMwebClient(url=sys.argv[1], chunk_size=100_000, headers={"Authorization": f"Bearer {sys.argv[3]}"})
files = [pydicom.dcmread(path) for path in sorted(pathlib.Path(sys.argv[2]).rglob("*")) if path.suffix == ".dcm"]
assert files, "no DICOM files (*.dcm) below the folder"
files.sort(key=lambda file: int(file.InstanceNumber))
sent = files[len(files) // 2]
study, series, sop = str(sent.StudyInstanceUID), str(sent.SeriesInstanceUID), str(sent.SOPInstanceUID)
count = len(files)


def same(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r} instead of {expected!r}")


def studies(**keys):
    return [found["0020000D"]["Value"][0] for found in client.search_for_studies(**keys)]


before = len(client.search_for_studies())
stored = client.store_instances(files)
same("stored", len(stored.ReferencedSOPSequence), count)
same("failed", "FailedSOPSequence" in stored, False)
same("stored again", len(client.store_instances(files, study_instance_uid=study).ReferencedSOPSequence), count)

hangul = str(sent.PatientName.phonetic).split("^")[0]
same("all studies", len(client.search_for_studies()), before + 1)
for keys in (
    {"search_filters": {"PatientName": f"*{hangul}*"}},
    {"search_filters": {"00100020": sent.PatientID}},
    {"search_filters": {"StudyInstanceUID": study}},
    {"search_filters": {"StudyDate": f"{sent.StudyDate}-{sent.StudyDate}", "ModalitiesInStudy": "CT"}},
    {"fuzzymatching": True, "search_filters": {"PatientName": " ".join(reversed(str(sent.PatientName.alphabetic).split("^")))}},
    {"limit": 1, "offset": 0, "fields": ["StudyDescription"]},
    {"get_remaining": True, "limit": 1},
):
    same(f"studies by {keys}", study in studies(**keys), True)
same("nobody", studies(search_filters={"PatientID": "NOBODY-AT-ALL"}), [])
same("series", [found["0020000E"]["Value"][0] for found in client.search_for_series(study)], [series])
same("series by keys", len(client.search_for_series(search_filters={"StudyInstanceUID": study, "Modality": "CT"})), 1)
same("instances of the series", len(client.search_for_instances(study, series, limit=5000)), count)
same("instances of the study", len(client.search_for_instances(study, limit=5000)), count)
found = client.search_for_instances(fields=["PhotometricInterpretation"], search_filters={"SOPInstanceUID": sop})
same("a field", found[0]["00280004"]["Value"], [sent.PhotometricInterpretation])
same("rows", found[0]["00280010"]["Value"], [sent.Rows])

for what, got in (
    ("study", client.retrieve_study(study)),
    ("study, bit by bit", list(client.iter_study(study))),
    ("series", client.retrieve_series(study, series)),
    ("series, bit by bit", list(client.iter_series(study, series))),
):
    same(what, got == files, True)
same("instance", client.retrieve_instance(study, series, sop) == sent, True)
kept = client.retrieve_instance(study, series, sop, media_types=(("application/dicom", "*"),))
same("instance as kept", kept == sent and kept.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID, True)
coded = client.retrieve_instance(study, series, sop, media_types=(("application/dicom", "1.2.840.10008.1.2.4.80"),))
same("instance in JPEG-LS", str(coded.file_meta.TransferSyntaxUID), "1.2.840.10008.1.2.4.80")
same("pixels in JPEG-LS", np.array_equal(coded.pixel_array, sent.pixel_array), True)

metadata = client.retrieve_instance_metadata(study, series, sop)
read = pydicom.Dataset.from_json(metadata, bulk_data_uri_handler=lambda uri: client.retrieve_bulkdata(uri)[0])
for element in sent:
    if element.tag not in (0x00080005, 0x7FE00010):
        same(f"metadata of {element.tag}", read[element.tag].value, element.value)
same("bulk data", bytes(read.PixelData), bytes(sent.PixelData))
same("bulk data, bit by bit", len(list(client.iter_bulkdata(metadata["7FE00010"]["BulkDataURI"]))), 1)
same("metadata of the study", len(client.retrieve_study_metadata(study)), count)
order = [entry["00080018"]["Value"][0] for entry in client.retrieve_series_metadata(study, series)]
same("metadata of the series", order, [str(file.SOPInstanceUID) for file in files])

pixels = bytes(sent.PixelData)
same("frames", client.retrieve_instance_frames(study, series, sop, [1]), [pixels])
same("frames, bit by bit", list(client.iter_instance_frames(study, series, sop, [1])), [pixels])
for kinds in ((("application/octet-stream", "*"),), (("application/octet-stream", "1.2.840.10008.1.2.1"),)):
    same(f"frame as {kinds}", client.retrieve_instance_frames(study, series, sop, [1], media_types=kinds), [pixels])
coded = client.retrieve_instance_frames(study, series, sop, [1], media_types=(("image/jls", "1.2.840.10008.1.2.4.80"),))
same("frame in JPEG-LS", coded[0][:2], b"\xff\xd8")

# PS3.3 C.11.2.1.2.1, from HU that pydicom computes.
hu = sent.pixel_array * float(sent.RescaleSlope) + float(sent.RescaleIntercept)
expected = np.clip((hu - 39.5) / 399 + 0.5, 0, 1) * 255
for kind, off in (("image/png", 0.51), ("image/jpeg", 24)):
    for picture in (
        client.retrieve_instance_rendered(study, series, sop, media_types=(kind,), params={"window": "40,400,linear"}),
        client.retrieve_instance_frames_rendered(study, series, sop, [1], media_types=(kind,), params={"window": "40,400,linear"}),
    ):
        grey = np.asarray(Image.open(io.BytesIO(picture)))
        same(f"{kind}: shape", grey.shape, sent.pixel_array.shape)
        same(f"{kind}: off by at most {off}", float(np.abs(grey - expected).max()) <= off, True)
picture = client.retrieve_series_rendered(study, series, media_types=("image/png",), params={"viewport": "64,64"})
same("series rendered", max(Image.open(io.BytesIO(picture)).size), 64)

client.delete_instance(study, series, sop)
same("one deleted", len(client.search_for_instances(study, series, limit=5000)), count - 1)
client.delete_series(study, series)
same("series deleted", studies(search_filters={"StudyInstanceUID": study}), [])
client.store_instances(files[:1])
client.delete_study(study)
same("study deleted", len(client.search_for_studies()), before)
print(f"{count} instances")
