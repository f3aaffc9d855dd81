"""A pynetdicom provider: many matches in ISO 2022 IR 149, nine objects in three transfer syntaxes, storage commitment.
Argument: port. Runs until it is killed."""
import sys, threading, time
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless
from pynetdicom import AE, evt
from pynetdicom.sop_class import (Verification, StudyRootQueryRetrieveInformationModelFind as Find,
                                  StudyRootQueryRetrieveInformationModelGet as Get,
                                  StorageCommitmentPushModel as Push, StorageCommitmentPushModelInstance as Instance)

SYNTAXES = [ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless]
sent = 0

def find(event):
    global sent
    if event.identifier.get("StudyDescription") == "how many":
        match = Dataset()
        match.StudyDescription = str(sent)
        yield 0xFF00, match
        return
    assert str(event.identifier.PatientName) == "홍*", "the key arrived as it was asked"
    sent = 0
    for number in range(400):
        if event.is_cancelled:
            yield 0xFE00, None
            return
        match = Dataset()
        match.SpecificCharacterSet = ["", "ISO 2022 IR 149"]
        match.QueryRetrieveLevel = "STUDY"
        match.PatientName = "Hong^Gildong=洪^吉洞=홍^길동"
        match.StudyInstanceUID = f"1.2.3.{number}"
        sent += 1
        time.sleep(0.01)
        yield 0xFF00, match

def get(event):
    yield 9
    for number in range(9):
        if event.is_cancelled:
            yield 0xFE00, None
            return
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, f"1.2.826.0.1.3680043.8.498.8.{number}"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = SYNTAXES[number % 3]
        time.sleep(0.02)
        yield 0xFF00, ds

def action(event):
    asked, assoc = event.action_information, event.assoc
    result = Dataset()
    result.TransactionUID = asked.TransactionUID
    known, unknown = [], []
    for item in asked.ReferencedSOPSequence:
        if item.ReferencedSOPInstanceUID.startswith("1.2.826."):
            known.append(item)
        else:
            item.FailureReason = 0x0112
            unknown.append(item)
    result.ReferencedSOPSequence, result.FailedSOPSequence = known, unknown
    def report():
        time.sleep(0.3)
        assoc.send_n_event_report(result, 2, Push, Instance)
    threading.Thread(target=report, daemon=True).start()
    return 0, None

ae = AE(ae_title="PYNET")
ae.require_called_aet = True
ae.add_supported_context(Verification)
ae.add_supported_context(Find)
ae.add_supported_context(Get)
ae.add_supported_context(CTImageStorage, SYNTAXES, scu_role=True, scp_role=True)
ae.add_supported_context(Push)
ae.start_server(("127.0.0.1", int(sys.argv[1])), evt_handlers=[
    (evt.EVT_C_FIND, find), (evt.EVT_C_GET, get), (evt.EVT_N_ACTION, action)])
