"""pynetdicom calls under titles that are known and that are not. Arguments: host, port."""
import sys
from pynetdicom import AE
from pynetdicom.sop_class import Verification

host, port = sys.argv[1], int(sys.argv[2])
def call(title):
    ae = AE(title)
    ae.add_requested_context(Verification)
    return ae.associate(host, port, ae_title="HILUM")

known = call("CT1")
assert known.is_established and known.send_c_echo().Status == 0
known.release()
stranger = call("STRANGER")
assert stranger.is_rejected
answer = stranger.acceptor.primitive
print(f"result {answer.result}, source {answer.result_source}, reason {answer.diagnostic}")
