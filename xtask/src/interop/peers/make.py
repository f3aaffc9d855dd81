"""Three patients with Korean names, one file each. Arguments: a CT file, a folder."""
import sys
from pydicom import dcmread
from pydicom.uid import generate_uid

PATIENTS = [
    ("KR0001", "Hong^Gildong=洪^吉洞=홍^길동", "20261101", "CT KUB low dose", "A100"),
    ("KR0002", "Kim^Younghee=金^英姬=김^영희", "20261115", "CT Chest", "A101"),
    ("KR0003", "Park^Jisung=朴^智星=박^지성", "20261120", "CT Abdomen", "A102"),
]
for patient_id, name, date, description, accession in PATIENTS:
    data_set = dcmread(sys.argv[1])
    data_set.SpecificCharacterSet = ["", "ISO 2022 IR 149"]
    data_set.PatientID, data_set.PatientName, data_set.StudyDate = patient_id, name, date
    data_set.StudyDescription, data_set.AccessionNumber = description, accession
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = generate_uid(), generate_uid()
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data_set.save_as(f"{sys.argv[2]}/{patient_id}.dcm")
