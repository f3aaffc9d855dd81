"""A peer that gives out a study slowly, and says whether it was told to stop. Arguments: its port, a CT file."""
import sys, time
from pydicom import dcmread
from pydicom.uid import generate_uid
from pynetdicom import AE, evt, build_role
from pynetdicom.sop_class import (CTImageStorage, StudyRootQueryRetrieveInformationModelFind as Find,
                                  StudyRootQueryRetrieveInformationModelGet as Get)

COUNT = 200

def on_find(event):
    # It knows studies alone: what is asked at a lower level finds nothing.
    yield 0x0000, None

def on_get(event):
    yield COUNT
    for number in range(COUNT):
        if event.is_cancelled:
            print(f"cancelled after {number}", flush=True)
            yield 0xFE00, None
            return
        data_set = dcmread(sys.argv[2])
        data_set.SOPInstanceUID = data_set.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        yield 0xFF00, data_set
        time.sleep(0.05)
    print("not cancelled", flush=True)

ae = AE("PACS")
ae.add_supported_context(Find)
ae.add_supported_context(Get)
ae.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)
server = ae.start_server(("127.0.0.1", int(sys.argv[1])), block=False, evt_handlers=[(evt.EVT_C_FIND, on_find), (evt.EVT_C_GET, on_get)])
print("listening", flush=True)
sys.stdin.read()
server.shutdown()
