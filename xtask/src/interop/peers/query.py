"""pynetdicom asks by every kind of key. Arguments: host, port."""
import sys
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (PatientRootQueryRetrieveInformationModelFind as PatientRoot,
                                  StudyRootQueryRetrieveInformationModelFind as StudyRoot)

host, port = sys.argv[1], int(sys.argv[2])

def ask(association, model, level, **keys):
    question = Dataset()
    question.SpecificCharacterSet, question.QueryRetrieveLevel = "ISO_IR 192", level
    question.PatientID = ""
    for name, value in keys.items():
        setattr(question, name, value)
    answers = list(association.send_c_find(question, model))
    assert answers[-1][0].Status == 0, hex(answers[-1][0].Status)
    return sorted(str(match.PatientID) for _, match in answers[:-1])

ae = AE("VIEWER")
ae.add_requested_context(StudyRoot)
ae.add_requested_context(PatientRoot)
association = ae.associate(host, port, ae_title="HILUM")
everybody = ["KR0001", "KR0002", "KR0003"]
for expected, keys in [
    (everybody, {}),
    (["KR0001"], {"PatientName": "*홍*"}),
    (["KR0001"], {"PatientName": "홍^길동"}),
    (["KR0002"], {"PatientName": "金*"}),
    (["KR0003"], {"PatientName": "park*"}),
    (everybody, {"PatientID": "KR000?"}),
    (["KR0001", "KR0002"], {"StudyDate": "20261101-20261115"}),
    (["KR0003"], {"StudyDate": "20261116-"}),
    (["KR0001"], {"StudyDate": "-20261101"}),
    (["KR0001"], {"StudyDescription": "*KUB*"}),
    (["KR0002"], {"AccessionNumber": "A101"}),
    ([], {"AccessionNumber": "A10"}),
]:
    found = ask(association, StudyRoot, "STUDY", **keys)
    assert found == expected, (keys, found)
assert ask(association, PatientRoot, "PATIENT", PatientName="*영희*") == ["KR0002"]
question = Dataset()
question.QueryRetrieveLevel, question.StudyInstanceUID = "STUDY", ""
uids = [match.StudyInstanceUID for _, match in association.send_c_find(question, StudyRoot) if match]
assert len(ask(association, StudyRoot, "STUDY", StudyInstanceUID=uids[:2])) == 2
association.release()

# Names in another order of their parts, where fuzzy matching was agreed on.
fuzzy = SOPClassExtendedNegotiation()
fuzzy.sop_class_uid, fuzzy.service_class_application_information = StudyRoot, b"\x00\x00\x01"
association = ae.associate(host, port, ae_title="HILUM", ext_neg=[fuzzy])
assert ask(association, StudyRoot, "STUDY", PatientName="길동 홍") == ["KR0001"]
association.release()
print("14 kinds of keys")
