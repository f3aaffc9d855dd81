"""pynetdicom queries, moves, gets and cancels; prints what it heard as JSON. Arguments: our port, its own port."""
import json, sys, time
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless
from pynetdicom import AE, evt, build_role
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (Verification, StudyRootQueryRetrieveInformationModelFind as Find,
                                  StudyRootQueryRetrieveInformationModelMove as Move,
                                  StudyRootQueryRetrieveInformationModelGet as Get)

port, own = int(sys.argv[1]), int(sys.argv[2])
SYNTAXES = [ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless]
STUDY = "1.2.826.0.1.3680043.8.498.1"
heard = {}

def keys(charset=None, level="STUDY", **values):
    ds = Dataset()
    if charset:
        ds.SpecificCharacterSet = charset
    ds.QueryRetrieveLevel = level
    ds.PatientName = ""
    ds.StudyInstanceUID = ""
    for name, value in values.items():
        setattr(ds, name, value)
    return ds

def find(assoc, ds):
    found = [(status.Status, match) for status, match in assoc.send_c_find(ds, Find)]
    matches = [match for status, match in found if match is not None]
    return {"status": found[-1][0], "first": found[0][0], "names": [str(m.PatientName) for m in matches],
            "charset": str(matches[0].get("SpecificCharacterSet", "")) if matches else None}

ae = AE(ae_title="QUERY")
ae.add_requested_context(Verification)
ae.add_requested_context(Find, [ImplicitVRLittleEndian])
ae.add_requested_context(Move)
assoc = ae.associate("127.0.0.1", port, ae_title="HILUM")
heard["korean"] = find(assoc, keys(["", "ISO 2022 IR 149"], PatientName="=*=홍^*"))
heard["utf8"] = find(assoc, keys("ISO_IR 192", PatientName="홍^길동"))
heard["unstated"] = find(assoc, keys(PatientName="Hong*"))
heard["latin"] = find(assoc, keys("ISO_IR 100", PatientName="hong*"))
heard["unsupported_key"] = find(assoc, keys(StudyDescription=""))["first"]
assoc.release()

# A data set that is none: garbage in place of the identifier.
from pynetdicom import dimse_messages
assoc = ae.associate("127.0.0.1", port, ae_title="HILUM")
import pynetdicom.association as association
encode = association.encode
association.encode = lambda *a, **k: b"\x08\x00\x52\x00\xff\xff\xff\x7fSTUDY "
heard["malformed"] = [status.Status for status, _ in assoc.send_c_find(keys(), Find)][-1]
association.encode = encode
heard["still_there"] = assoc.send_c_echo().Status

answers = assoc.send_c_find(keys(level="IMAGE", SOPInstanceUID=""), Find, msg_id=5)
for count, (status, match) in enumerate(answers):
    if count == 2:
        context = [c for c in assoc.accepted_contexts if c.abstract_syntax == Find][0]
        assoc.send_c_cancel(5, context.context_id)
    heard["find_cancelled"] = status.Status
assoc.release()

fuzzy = SOPClassExtendedNegotiation()
fuzzy.sop_class_uid = Find
fuzzy.service_class_application_information = b"\x00\x01\x01"
assoc = ae.associate("127.0.0.1", port, ae_title="HILUM", ext_neg=[fuzzy])
answered = assoc.acceptor.sop_class_extended
heard["fuzzy_negotiated"] = answered[Find].hex() if answered else None
heard["fuzzy"] = find(assoc, keys("ISO_IR 192", PatientName="홍길동"))
assoc.release()

stored = {"count": 0, "originator": None, "syntaxes": {}}
def store(event):
    request = event.request
    stored["count"] += 1
    stored["originator"] = [request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID]
    syntax = str(event.context.transfer_syntax)
    stored["syntaxes"][syntax] = stored["syntaxes"].get(syntax, 0) + 1
    assert str(event.dataset.PatientName).startswith("Hong^Gildong"), "the object arrived in pieces"
    return 0

sink = AE(ae_title="PYNETDICOM")
for syntax in SYNTAXES:
    sink.add_supported_context(CTImageStorage, SYNTAXES)
server = sink.start_server(("127.0.0.1", own), block=False, evt_handlers=[(evt.EVT_C_STORE, store)])
ae.acse_timeout = 30
assoc = ae.associate("127.0.0.1", port, ae_title="HILUM")
ds = Dataset()
ds.QueryRetrieveLevel, ds.StudyInstanceUID = "STUDY", STUDY
for status, _ in assoc.send_c_move(ds, "PYNETDICOM", Move, msg_id=77):
    final = status.Status
heard["move"] = {"status": final, "stored": stored["count"], "originator": stored["originator"]}
assoc.release()
server.shutdown()

def get(contexts, cancel_after=None):
    stored.update(count=0, syntaxes={})
    getter = AE(ae_title="QUERY")
    getter.add_requested_context(Get)
    for syntax in contexts:
        getter.add_requested_context(CTImageStorage, [syntax])
    role = build_role(CTImageStorage, scp_role=True)
    assoc = getter.associate("127.0.0.1", port, ae_title="HILUM", ext_neg=[role], evt_handlers=[(evt.EVT_C_STORE, store)])
    last, pending, failed = None, None, 0
    for count, (status, identifier) in enumerate(assoc.send_c_get(ds, Get, msg_id=9)):
        if status.Status == 0xFF00:
            pending = [status.NumberOfRemainingSuboperations, status.NumberOfCompletedSuboperations,
                       status.NumberOfFailedSuboperations, status.NumberOfWarningSuboperations]
        if cancel_after is not None and count == cancel_after:
            context = [c for c in assoc.accepted_contexts if c.abstract_syntax == Get][0]
            assoc.send_c_cancel(9, context.context_id)
        last = status.Status
        if identifier is not None and "FailedSOPInstanceUIDList" in identifier:
            failed = len(identifier.FailedSOPInstanceUIDList)
    assoc.release()
    return {"status": last, "last_pending": pending, "syntaxes": dict(stored["syntaxes"]), "failed": failed}

heard["get"] = get(SYNTAXES)
heard["get_refused"] = get(["1.2.840.10008.1.2.4.80"])
heard["get_cancelled"] = get(SYNTAXES, cancel_after=2)
print(json.dumps(heard))
