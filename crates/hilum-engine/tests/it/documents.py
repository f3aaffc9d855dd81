"""Writes into a folder what real data here lack: a key object selection, a presentation state and an encapsulated PDF, in Korean."""
import sys
from pathlib import Path
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (EncapsulatedPDFStorage, ExplicitVRLittleEndian, GrayscaleSoftcopyPresentationStateStorage,
                         ImplicitVRLittleEndian, KeyObjectSelectionDocumentStorage)

ROOT = "1.2.826.0.1.3680043.8.498.77."


def code(value, scheme, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def document(number, sop_class, modality):
    ds = Dataset()
    ds.SpecificCharacterSet = "\\ISO 2022 IR 149"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, ROOT + str(number)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = ROOT + "1000", ROOT + str(2000 + number)
    ds.PatientName, ds.PatientID = "Hong^Gildong=洪^吉洞=홍^길동", "KR0077"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20261105", "101112", "S77", "A77"
    ds.Modality, ds.SeriesNumber, ds.InstanceNumber = modality, str(number), "1"
    ds.ContentDate, ds.ContentTime = "20261105", "120000"
    return ds


key_object = document(1, KeyObjectSelectionDocumentStorage, "KO")
key_object.ConceptNameCodeSequence = [code("113001", "DCM", "Rejected for Quality Reasons")]
modifier, reference = Dataset(), Dataset()
modifier.RelationshipType, modifier.ValueType = "HAS CONCEPT MOD", "CODE"
modifier.ConceptNameCodeSequence = [code("113011", "DCM", "Document Title Modifier")]
modifier.ConceptCodeSequence = [code("111207", "DCM", "Image artifact(s)")]
reference.RelationshipType, reference.ValueType = "CONTAINS", "TEXT"
reference.ConceptNameCodeSequence = [code("113012", "DCM", "Key Object Description")]
reference.TextValue = "움직임"
key_object.ContentSequence = [modifier, reference]

state = document(2, GrayscaleSoftcopyPresentationStateStorage, "PR")
state.PresentationCreationDate, state.PresentationCreationTime = "20261105", "130000"
state.ContentLabel, state.ContentDescription, state.ContentCreatorName = "WINDOW", "콩팥 창", "김^의사"
image = Dataset()
image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", ROOT + "9"
series = Dataset()
series.SeriesInstanceUID, series.ReferencedImageSequence = ROOT + "8", [image]
state.ReferencedSeriesSequence = [series]

paper = document(3, EncapsulatedPDFStorage, "DOC")
paper.DocumentTitle, paper.MIMETypeOfEncapsulatedDocument, paper.ConceptNameCodeSequence = "판독문", "application/pdf", []
paper.EncapsulatedDocument = b"%PDF-1.4\n"

for name, ds, syntax in [("ko", key_object, ExplicitVRLittleEndian), ("pr", state, ImplicitVRLittleEndian),
                         ("pdf", paper, ExplicitVRLittleEndian)]:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.save_as(Path(sys.argv[1]) / f"{name}.dcm", enforce_file_format=True)
