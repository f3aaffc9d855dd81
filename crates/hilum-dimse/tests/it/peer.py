"""A pynetdicom peer: negotiates odd contexts, stores, and prints what it heard as JSON. Arguments: port."""
import json, sys
from pydicom.dataset import Dataset
from pydicom.uid import (CTImageStorage, MRImageStorage, ExplicitVRBigEndian, ExplicitVRLittleEndian,
                         ImplicitVRLittleEndian, JPEG2000Lossless, RLELossless)
from pynetdicom import AE
from pynetdicom.sop_class import Verification, PatientRootQueryRetrieveInformationModelFind as Find

port = int(sys.argv[1])
heard = {}

def instance(sop_class, syntax, number):
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, f"1.2.826.0.1.3680043.8.498.500.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
    ds.PatientName, ds.PatientID = "HONG^GILDONG", "KR0001"
    ds.file_meta = Dataset()
    ds.file_meta.TransferSyntaxUID = syntax
    return ds

ae = AE(ae_title="PYNETDICOM")
ae.add_requested_context(Verification)
ae.add_requested_context("1.2.3.4.5.6")
ae.add_requested_context(Find)
ae.add_requested_context(CTImageStorage, [JPEG2000Lossless, ExplicitVRLittleEndian])
ae.add_requested_context(CTImageStorage, [ImplicitVRLittleEndian])
ae.add_requested_context(MRImageStorage, [ExplicitVRBigEndian, ImplicitVRLittleEndian])
ae.add_requested_context(MRImageStorage, ["1.2.840.113619.5.2"])
ae.maximum_pdu_size = int(sys.argv[2]) if len(sys.argv) > 2 else 16382
assoc = ae.associate("127.0.0.1", port, ae_title="HILUM")
heard["accepted"] = [[c.abstract_syntax, c.transfer_syntax[0]] for c in assoc.accepted_contexts]
heard["rejected"] = [[c.abstract_syntax, c.result] for c in assoc.rejected_contexts]
heard["peer_max_pdu"] = assoc.acceptor.maximum_length
heard["echo"] = assoc.send_c_echo().Status
heard["implicit"] = assoc.send_c_store(instance(CTImageStorage, ImplicitVRLittleEndian, 1)).Status
heard["big_endian"] = assoc.send_c_store(instance(MRImageStorage, ExplicitVRBigEndian, 2)).Status
bad = instance(CTImageStorage, ImplicitVRLittleEndian, 3)
bad.SOPInstanceUID = "1.2.not.a.uid"
try:
    heard["bad_uid"] = assoc.send_c_store(bad).Status
except ValueError as error:
    heard["bad_uid"] = str(error)
heard["echo_again"] = assoc.send_c_echo().Status
assoc.release()
heard["released"] = assoc.is_released
print(json.dumps(heard))
