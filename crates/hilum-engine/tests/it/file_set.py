"""What pydicom reads of a file-set: a JSON object for every instance that its DICOMDIR names, and for every record above it.

Written for pydicom 3.0.
"""
import json, sys, warnings
from pathlib import Path

warnings.simplefilter("ignore")
from pydicom import fileset

# pydicom 3.0 does not know this type of record (PS3.3 F.5, bulk simple annotations), and takes nothing that has one.
fileset._PREFIXES.setdefault("ANNOTATION", "AN")
fileset._FOUR_LEVEL_SOP_CLASSES["1.2.840.10008.5.1.4.1.1.91.1"] = "ANNOTATION"
# It knows plans by their label, which a damaged one lacks.
fileset._FOUR_LEVEL_SOP_CLASSES["1.2.840.10008.5.1.4.1.1.481.5"] = "RT PLAN"
fileset._FOUR_LEVEL_SOP_CLASSES["1.2.840.10008.5.1.4.1.1.481.8"] = "RT PLAN"


def keys(record):
    known = {}
    for element in record:
        if element.tag.group != 4 and element.VR != "SQ":
            known[element.keyword] = "" if element.value is None else str(element.value)
    return known


file_set = fileset.FileSet(sys.argv[1])
found, seen = [], set()
for instance in file_set:
    data_set = instance.load()
    # A record is made of the first object below it; those after it may say otherwise.
    made_of_it = [record for record in [instance.node, *instance.node.ancestors] if record.record_type and id(record) not in seen]
    seen.update(id(record) for record in made_of_it)
    texts = [element for record in made_of_it for element in record._record if element.tag.group != 4 and element.VR != "SQ"]
    filled_in = [e.keyword for e in texts if e.keyword not in data_set or not str(data_set[e.tag].value or "").strip()]
    differs = [e.keyword for e in texts if e.keyword not in filled_in and e.VR not in ("DA", "TM")
               and str(data_set[e.tag].value) != str(e.value)]
    found.append({
        "file": str(Path(instance.path).relative_to(Path(sys.argv[1]).parent)),
        "sop": str(data_set.SOPInstanceUID),
        "referenced": [str(instance.SOPInstanceUID), str(instance.SOPClassUID)],
        "kind": instance.node.record_type,
        "kind_by_pydicom": fileset._four_level_record_type(data_set),
        "records": {record.record_type: keys(record._record) for record in [instance.node, *instance.node.ancestors] if record.record_type},
        "items": {e.keyword: len(e.value) for e in instance.node._record if e.VR == "SQ"},
        "filled_in": filled_in,
        "differs": differs,
    })
print(json.dumps({"id": file_set.ID, "instances": found}))
