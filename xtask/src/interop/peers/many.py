"""One peer that begins and stops, and 200 that echo and send at the same time. Arguments: host, port, a file."""
import socket, sys, threading, time
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import CTImageStorage, Verification

host, port, data_set = sys.argv[1], int(sys.argv[2]), dcmread(sys.argv[3])
stuck = socket.create_connection((host, port))
stuck.sendall(b"\x01\x00\x00\x00\x01\x00\x00\x01")
barrier, bad = threading.Barrier(200), []

def call(number):
    ae = AE("CT1")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
    ae.add_requested_context(Verification)
    ae.add_requested_context(CTImageStorage)
    association = ae.associate(host, port, ae_title="HILUM")
    if not association.is_established:
        bad.append("not established")
        barrier.wait()
        return
    # All of them stand at once before any of them goes on.
    barrier.wait()
    status = association.send_c_store(data_set) if number % 20 == 0 else association.send_c_echo()
    if status.get("Status") != 0:
        bad.append(str(status))
    association.release()

started = time.time()
threads = [threading.Thread(target=call, args=(number,)) for number in range(200)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not bad, bad[:3]
print(f"200 stood at once and were served in {time.time() - started:.1f} s")
