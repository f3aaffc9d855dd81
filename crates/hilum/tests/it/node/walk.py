"""Every service of the node, asked for by everybody who may not have it.

Arguments: port of the node, file of an instance of SITE_A, port where what is moved arrives. The SOP classes that are tried are all that pynetdicom
knows; what the node accepts of them decides which entries there must be.
"""

import json
import sys
import time

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, StoragePresentationContexts, build_role, evt, sop_class
from pynetdicom.presentation import build_context

PORT, FILE, LISTEN = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
OURS = dcmread(FILE)
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
STORAGE = {
    str(uid)
    for group in (sop_class._STORAGE_CLASSES, sop_class._NON_PATIENT_OBJECT_CLASSES)
    for uid in group.values()
}
PLAIN = {"PATIENT": "PatientID", "STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "IMAGE": "SOPInstanceUID"}


def every_sop_class():
    """Whatever pynetdicom has a name for."""
    names = {
        str(uid)
        for group in vars(sop_class).values()
        if isinstance(group, dict)
        for uid in group.values()
        if isinstance(uid, str) and uid.startswith("1.2.840.10008.")
    }
    return sorted(names | STORAGE)


def associate(title, classes, **more):
    ae = AE(title)
    contexts = [build_context(uid, SYNTAXES) for uid in classes]
    return ae.associate("127.0.0.1", PORT, contexts=contexts, ae_title="HILUM", **more)


def offered(title):
    """What the node accepts of this caller."""
    accepted = set()
    classes = every_sop_class()
    for start in range(0, len(classes), 120):
        association = associate(title, classes[start : start + 120])
        if association.is_established:
            accepted |= {str(context.abstract_syntax) for context in association.accepted_contexts}
            association.release()
        elif association.is_rejected:
            raise SystemExit(f"{title} is rejected")
    return accepted


def keys(level):
    """An identifier that names what SITE_A has, down to a level."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for name in list(PLAIN)[: list(PLAIN).index(level) + 1]:
        setattr(identifier, PLAIN[name], OURS[PLAIN[name]].value)
    return identifier


def levels(uid):
    return [level for level in PLAIN if level != "PATIENT" or uid.startswith("1.2.840.10008.5.1.4.1.2.1.")]


def find(title, uid):
    found = 0
    for level in levels(uid):
        association = associate(title, [uid])
        for status, identifier in association.send_c_find(keys(level), uid):
            found += status.Status in (0xFF00, 0xFF01)
            assert status.Status in (0xFF00, 0xFF01, 0x0000), hex(status.Status)
        association.release()
    return found


def worklist(title, uid):
    identifier = Dataset()
    identifier.PatientName = "*"
    identifier.ScheduledProcedureStepSequence = [Dataset()]
    association = associate(title, [uid])
    found = sum(status.Status in (0xFF00, 0xFF01) for status, _ in association.send_c_find(identifier, uid))
    association.release()
    return found


def retrieve(title, uid, move):
    """Instances that come, by C-MOVE to the one who asks or by C-GET."""
    came = []

    def store(event):
        came.append(event.request.AffectedSOPInstanceUID)
        return 0x0000

    handlers = [(evt.EVT_C_STORE, store)]
    listener = AE(title)
    listener.supported_contexts = StoragePresentationContexts
    server = listener.start_server(("127.0.0.1", LISTEN), block=False, evt_handlers=handlers) if move else None
    for level in levels(uid):
        if move:
            association = associate(title, [uid])
            answers = list(association.send_c_move(keys(level), title, uid))
        else:
            role = [build_role(OURS.SOPClassUID, scp_role=True)]
            association = associate(title, [uid, OURS.SOPClassUID], ext_neg=role, evt_handlers=handlers)
            answers = list(association.send_c_get(keys(level), uid))
        assert answers, "no answer"
        association.release()
    if server:
        server.shutdown()
    return len(came)


def commit(title, uid):
    """Instances that the node commits to."""
    told = []

    def report(event):
        told.append(event.event_information)
        return 0x0000, None

    request = Dataset()
    request.TransactionUID = generate_uid()
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = OURS.SOPClassUID, OURS.SOPInstanceUID
    request.ReferencedSOPSequence = [item]
    association = associate(title, [uid], evt_handlers=[(evt.EVT_N_EVENT_REPORT, report)])
    status, _ = association.send_n_action(request, 1, uid, "1.2.840.10008.1.20.1.1")
    assert status.Status == 0x0000, status
    deadline = time.monotonic() + 20
    while not told and time.monotonic() < deadline:
        time.sleep(0.05)
    association.release()
    return len(told[0].get("ReferencedSOPSequence", []))


def echo(title, uid):
    association = associate(title, [uid])
    status = association.send_c_echo().Status
    association.release()
    return 0 if status == 0 else 1


def store(title, uid):
    """Of a data set that another institution has under the same UID: that it is kept, and kept apart, shows when OURS is asked for."""
    other = dcmread(FILE)
    other.PatientName = "Other^Patient"
    association = associate(title, [OURS.SOPClassUID])
    status = association.send_c_store(other).Status
    association.release()
    assert status == 0x0000, f"it is told that the UID is taken: {hex(status)}"
    return 0


FIND = {"1.2.840.10008.5.1.4.1.2.1.1", "1.2.840.10008.5.1.4.1.2.2.1"}
MOVE = {"1.2.840.10008.5.1.4.1.2.1.2", "1.2.840.10008.5.1.4.1.2.2.2"}
GET = {"1.2.840.10008.5.1.4.1.2.1.3", "1.2.840.10008.5.1.4.1.2.2.3"}

# Each gives how much of what is SITE_A's a caller gets, and the word of `allowed` that it needs.
ENTRIES = {
    "1.2.840.10008.1.1": (echo, None),
    "1.2.840.10008.1.20.1": (commit, "commitment"),
    "1.2.840.10008.5.1.4.31": (worklist, "find"),
    **{uid: (find, "find") for uid in FIND},
    **{uid: (lambda title, uid: retrieve(title, uid, True), "retrieve") for uid in MOVE},
    **{uid: (lambda title, uid: retrieve(title, uid, False), "retrieve") for uid in GET},
    # Last: afterwards OTHER has an instance of this UID, too.
    "storage": (store, "store"),
}

accepted = offered("OURS")
services = (accepted - STORAGE) | ({"storage"} if accepted & STORAGE else set())
assert services == set(ENTRIES), f"no entry for {services - set(ENTRIES)}, nothing offered for {set(ENTRIES) - services}"

# Nobody that is known.
# What comes is looked at as it comes: pynetdicom sometimes calls a rejection aborted when the connection is closed behind it.
for uid in [[one] for one in ENTRIES if one != "storage"] + [sorted(accepted & STORAGE)[:100]]:
    answers = []
    associate("STRANGER", uid, evt_handlers=[(evt.EVT_PDU_RECV, lambda event: answers.append(event.pdu))])
    said = [type(answer).__name__ for answer in answers]
    assert said == ["A_ASSOCIATE_RJ"], f"a stranger who asks for {uid} hears {said}"
    reject = answers[0]
    assert (reject.result, reject.source, reject.reason_diagnostic) == (1, 1, 3), "not as PS3.8 Table 9-21 has it"

# A lesser role: each may have all services but one.
for word in ("store", "find", "retrieve", "commitment"):
    lesser = offered("NO_" + word.upper())
    for uid in accepted:
        entry = ENTRIES["storage" if uid in STORAGE else uid]
        assert (uid in lesser) == (entry[1] != word), f"{uid} of one who may not {word}"

seen = {}
for uid, (act, word) in ENTRIES.items():
    seen[uid] = {title: act(title, uid) for title in ("OTHER", "OURS") if uid != "storage" or title == "OTHER"}
    assert seen[uid]["OTHER"] == 0, f"{uid}: another institution gets {seen[uid]}"
    # The same question finds something where it may.
    assert word in (None, "store") or seen[uid]["OURS"] > 0, f"{uid} proves nothing: {seen[uid]}"
again = find("OURS", "1.2.840.10008.5.1.4.1.2.2.1")
assert again == seen["1.2.840.10008.5.1.4.1.2.2.1"]["OURS"], "OTHER's instance shows at OURS"
print(json.dumps({"services": len(services), "sop_classes": len(accepted)}))
