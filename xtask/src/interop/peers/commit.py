"""pynetdicom sends, asks for storage commitment, and hears the result. Arguments: host, port, files."""
import sys, threading
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, StorageCommitmentPushModel as Push, StorageCommitmentPushModelInstance as Instance

host, port, files = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
heard, report = threading.Event(), {}

def on_report(event):
    information = event.event_information
    report["committed"] = {item.ReferencedSOPInstanceUID for item in information.get("ReferencedSOPSequence", [])}
    report["failed"] = [(item.ReferencedSOPInstanceUID, item.FailureReason) for item in information.get("FailedSOPSequence", [])]
    heard.set()
    return 0, None

ae = AE("CT1")
ae.add_requested_context(CTImageStorage)
ae.add_requested_context(Push)
association = ae.associate(host, port, ae_title="HILUM", evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
sent = []
for file in files:
    data_set = dcmread(file)
    assert association.send_c_store(data_set).Status == 0
    sent.append(data_set.SOPInstanceUID)
request = Dataset()
request.TransactionUID, request.ReferencedSOPSequence = generate_uid(), []
for uid, sop_class in [(uid, CTImageStorage) for uid in sent] + [("1.2.3", CTImageStorage), (sent[0], "1.2.840.10008.5.1.4.1.1.4")]:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    request.ReferencedSOPSequence.append(item)
status, _ = association.send_n_action(request, 1, Push, Instance)
assert status.Status == 0
assert heard.wait(20), "no result"
assert report["committed"] == set(sent), report
assert report["failed"] == [("1.2.3", 0x0112), (sent[0], 0x0119)], report
association.release()
print(f"{len(sent)} committed to, 2 refused with their reasons")
