"""A peer that has three studies and can give out the last one alone. Arguments: its port, a CT file."""
import sys
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import (CTImageStorage, StudyRootQueryRetrieveInformationModelFind as Find,
                                  StudyRootQueryRetrieveInformationModelGet as Get)

STUDIES = ["1.2.3.1", "1.2.3.2", "1.2.3.3"]

def on_find(event):
    if event.identifier.QueryRetrieveLevel != "STUDY":
        yield 0x0000, None
        return
    for study in STUDIES:
        found = Dataset()
        found.QueryRetrieveLevel, found.StudyInstanceUID, found.NumberOfStudyRelatedInstances = "STUDY", study, 1
        yield 0xFF00, found

def on_get(event):
    yield 1
    study = event.identifier.StudyInstanceUID
    if study != STUDIES[-1]:
        # Out of resources: unable to perform sub-operations.
        yield 0xA702, None
        return
    data_set = dcmread(sys.argv[2])
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID, data_set.PatientID = study, generate_uid(), "KR0007"
    data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    yield 0xFF00, data_set

ae = AE("PACS")
ae.add_supported_context(Find)
ae.add_supported_context(Get)
ae.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)
server = ae.start_server(("127.0.0.1", int(sys.argv[1])), block=False, evt_handlers=[(evt.EVT_C_FIND, on_find), (evt.EVT_C_GET, on_get)])
print("listening", flush=True)
sys.stdin.read()
server.shutdown()
