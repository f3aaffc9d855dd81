"""Files go in over C-STORE as they are and come back by C-GET: the data set must be the same bytes in the same transfer syntax.
Where several files share a SOP Instance UID, each round takes the next one of them. Arguments: host, port, folder, round."""
import collections, json, os, sys, warnings
from pathlib import Path
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import _read_file_meta_info, read_preamble
from pynetdicom import AE, build_role, evt, _config
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as Get

warnings.simplefilter("ignore")
# What files say is sent as they say it.
_config.ENFORCE_UID_CONFORMANCE = False
_config.STORE_SEND_CHUNKED_DATASET = True
host, port, folder, turn = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
report = collections.Counter()
refused = collections.Counter()

def split(path):
    """File meta information and the bytes behind it; None where the file has none, and nobody could say what to send."""
    with open(path, "rb") as file:
        try:
            read_preamble(file, False)
            meta = _read_file_meta_info(file)
            data_set = file.read()
            key = (str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID))
            return key, str(meta.MediaStorageSOPInstanceUID), data_set
        except Exception:
            return None

by_uid = collections.defaultdict(list)
for path in sorted(Path(folder).rglob("*")):
    if path.is_file() and path.suffix not in (".md", ".txt", ".json"):
        file = split(path)
        if file is None:
            report["without_meta"] += turn == 0
        elif file[1] and all(file != known[1:] for known in by_uid[file[1]]):
            by_uid[file[1]].append((path, *file))
files = [paths[turn] for paths in by_uid.values() if len(paths) > turn]
report["left"] = sum(max(0, len(paths) - turn - 1) for paths in by_uid.values())

pairs = sorted({file[1] for file in files})
kept = {}
for start in range(0, len(pairs), 100):
    batch = pairs[start:start + 100]
    ae = AE("CT1")
    ae.maximum_pdu_size = 0
    for sop_class, syntax in batch:
        ae.add_requested_context(sop_class, [syntax])
    association = ae.associate(host, port, ae_title="HILUM")
    for path, key, uid, data_set in (file for file in files if file[1] in batch):
        if not association.is_established:
            association = ae.associate(host, port, ae_title="HILUM")
        try:
            status = association.send_c_store(path).get("Status")
        except (AttributeError, ValueError) as error:
            refused["no context" if "presentation context" in str(error) else "not sent by pynetdicom"] += 1
            continue
        if status == 0:
            report["kept"] += 1
            kept[uid] = (key, data_set)
        else:
            refused[f"{status:04X}" if status is not None else "aborted"] += 1
    association.release()

came = {}
def on_store(event):
    came[str(event.request.AffectedSOPInstanceUID)] = (
        (str(event.request.AffectedSOPClassUID), str(event.context.transfer_syntax)),
        event.request.DataSet.getvalue(),
    )
    return 0

pairs = sorted({key for key, _ in kept.values()})
for start in range(0, len(pairs), 100):
    batch = pairs[start:start + 100]
    wanted = [uid for uid, (key, _) in kept.items() if key in batch]
    ae = AE("VIEWER")
    ae.maximum_pdu_size = 0
    ae.add_requested_context(Get)
    roles = {}
    for sop_class, syntax in batch:
        ae.add_requested_context(sop_class, [syntax])
        roles[sop_class] = build_role(sop_class, scp_role=True)
    association = ae.associate(host, port, ae_title="HILUM", ext_neg=list(roles.values()), evt_handlers=[(evt.EVT_C_STORE, on_store)])
    assert association.is_established
    for at in range(0, len(wanted), 20):
        question = Dataset()
        question.QueryRetrieveLevel, question.SOPInstanceUID = "IMAGE", wanted[at:at + 20]
        for status, _ in association.send_c_get(question, Get):
            pass
    association.release()

different = [uid for uid, expected in kept.items() if came.get(uid) != expected]
report["same"] = len(kept) - len(different)
print(json.dumps({**report, "refused": refused, "different": [str(by_uid[uid][turn][0]) for uid in different[:5]]}))
