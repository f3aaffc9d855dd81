"""pynetdicom asks for storage commitment, waits for the result here and there, and tells one. Arguments: our port, its own
port, SOP instance UIDs."""
import json, sys, threading
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage
from pynetdicom import AE, evt, build_role
from pynetdicom.sop_class import StorageCommitmentPushModel as Push, StorageCommitmentPushModelInstance as Instance

port, own, sops = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
heard = {}
arrived = threading.Event()
report = {}

def reference(sop):
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, sop
    return item

def request(transaction, wanted):
    ds = Dataset()
    ds.TransactionUID = transaction
    ds.ReferencedSOPSequence = [reference(sop) for sop in wanted]
    return ds

def on_report(event):
    ds = event.event_information
    report.update(event=event.event_type, transaction=str(ds.TransactionUID),
                  committed=[str(i.ReferencedSOPInstanceUID) for i in ds.get("ReferencedSOPSequence", [])],
                  failed=[[str(i.ReferencedSOPInstanceUID), i.FailureReason] for i in ds.get("FailedSOPSequence", [])])
    arrived.set()
    return 0, None

listener = AE(ae_title="MODALITY")
listener.add_supported_context(Push, scu_role=True, scp_role=True)
server = listener.start_server(("127.0.0.1", own), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])

def ask(transaction, wanted, stay):
    report.clear()
    arrived.clear()
    ae = AE(ae_title="MODALITY")
    ae.add_requested_context(Push)
    assoc = ae.associate("127.0.0.1", port, ae_title="HILUM", evt_handlers=[(evt.EVT_N_EVENT_REPORT, on_report)])
    status, _ = assoc.send_n_action(request(transaction, wanted), 1, Push, Instance)
    if not stay:
        assoc.release()
    assert arrived.wait(20), "no result"
    if stay:
        assoc.release()
    assert report["transaction"] == transaction
    return {"action": status.Status, **report}

heard["same"] = ask("1.2.1", sops + ["1.2.3.4"], True)
heard["new"] = ask("1.2.2", sops + ["1.2.3.4"], False)
heard["all"] = ask("1.2.3", sops, True)

ae = AE(ae_title="MODALITY")
ae.add_requested_context(Push)
assoc = ae.associate("127.0.0.1", port, ae_title="HILUM")
heard["no_action"] = assoc.send_n_action(request("1.2.4", sops), 2, Push, Instance)[0].Status
heard["nothing"] = assoc.send_n_action(request("1.2.5", []), 1, Push, Instance)[0].Status
assoc.release()

# The reverse: it reports to us, in the role of the provider.
assoc = ae.associate("127.0.0.1", port, ae_title="HILUM", ext_neg=[build_role(Push, scu_role=False, scp_role=True)])
assoc.send_n_event_report(request("1.2.99", sops[:1]), 1, Push, Instance)
assoc.release()
server.shutdown()
print(json.dumps(heard))
