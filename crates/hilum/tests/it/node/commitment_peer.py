"""A requestor of storage commitment that hangs up as soon as its request is accepted, and hears the result later.

commitment_peer.py ask PORT SOP_CLASS SOP [TITLE [TRANSACTION]]   prints the status of the N-ACTION
commitment_peer.py age DATA                 makes what was noted due now; prints what was noted
commitment_peer.py hear PORT                prints "listening", then the first result
"""

import sqlite3
import sys
import threading

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel, StorageCommitmentPushModelInstance


def ask(port, sop_class, sop, title="CT1", transaction="1.2.826.0.1.3680043.8.498.77"):
    ae = AE(ae_title=title)
    ae.add_requested_context(StorageCommitmentPushModel)
    association = ae.associate("127.0.0.1", int(port), ae_title="HILUM")
    item = Dataset()
    item.ReferencedSOPClassUID = UID(sop_class)
    item.ReferencedSOPInstanceUID = UID(sop)
    request = Dataset()
    request.TransactionUID = transaction
    request.ReferencedSOPSequence = [item]
    status, _ = association.send_n_action(
        request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )
    association.abort()
    print(f"0x{status.Status:04X}")


def age(data):
    catalogue = sqlite3.connect(f"{data}/catalog.sqlite")
    print(*(row[0] for row in catalogue.execute("SELECT result FROM commitment WHERE state = 'open'")))
    catalogue.execute("UPDATE commitment SET next_at = 0")
    catalogue.commit()


def hear(port):
    heard = threading.Event()

    def report(event):
        result = event.event_information
        kept = [item.ReferencedSOPInstanceUID for item in result.get("ReferencedSOPSequence", [])]
        failed = [item.ReferencedSOPInstanceUID for item in result.get("FailedSOPSequence", [])]
        print(result.TransactionUID, "kept", *kept, "failed", *failed)
        heard.set()
        return 0x0000, None

    ae = AE(ae_title="CT1")
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    server = ae.start_server(("127.0.0.1", int(port)), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)])
    print("listening", flush=True)
    heard.wait(30)
    server.shutdown()


{"ask": ask, "age": age, "hear": hear}[sys.argv[1]](*sys.argv[2:])
