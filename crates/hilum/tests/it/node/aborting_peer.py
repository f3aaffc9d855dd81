"""A peer that aborts whenever it is sent the object that it was sent first, and takes all others. Argument: its port."""
import sys
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

bad = []

def on_store(event):
    uid = event.request.AffectedSOPInstanceUID
    bad or bad.append(uid)
    if uid == bad[0]:
        event.assoc.abort()
    return 0x0000

ae = AE("PACS")
ae.add_supported_context(CTImageStorage)
server = ae.start_server(("127.0.0.1", int(sys.argv[1])), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])
print("listening", flush=True)
sys.stdin.read()
server.shutdown()
