"""What pydicom reads in every file given, as one JSON object a line: the oracle of header walk and character sets.

usage: dump_with_pydicom.py LIST    (LIST: a text file with one path a line)

A line: {"file", "error" | null, "forced": bool, "syntax", "deflated": bool, "elements": [[tag, value offset, length], ...] of
the top level in file order, "texts": {path: [value, ...]} of every element with a string VR at any depth}.
"""

import json
import sys
import warnings

import pydicom
from pydicom.dataelem import RawDataElement

warnings.simplefilter("ignore")
STRINGS = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}


def text(value):
    """One value as it was written, not as pydicom would write it again."""
    original = getattr(value, "original_string", None)
    if isinstance(original, bytes):
        return str(value)
    return str(value) if original is None else str(original)


def texts(data_set, path, out):
    for tag in sorted(data_set.keys()):
        here = f"{path}{int(tag):08x}"
        try:
            element = data_set[tag]
        except Exception as error:
            out[here] = [f"!{type(error).__name__}"]
            continue
        if element.VR == "SQ":
            for index, item in enumerate(element.value or []):
                texts(item, f"{here}[{index}].", out)
        elif element.VR in STRINGS:
            value = element.value
            if value is None or value == "":
                continue
            many = isinstance(value, (list, pydicom.multival.MultiValue))
            out[here] = [text(v) for v in value] if many else [text(value)]


def dump(path):
    forced = False
    try:
        data_set = pydicom.dcmread(path)
    except Exception as first:
        forced = True
        try:
            data_set = pydicom.dcmread(path, force=True)
        except Exception:
            return {"file": path, "error": type(first).__name__, "forced": forced}
    try:
        elements = []
        for tag in data_set._dict:
            raw = data_set.get_item(tag)
            if isinstance(raw, RawDataElement):
                elements.append([int(tag), raw.value_tell, raw.length])
            else:
                elements.append([int(tag), getattr(raw, "file_tell", 0) or 0, None])
        out = {}
        texts(data_set, "", out)
        syntax = str(getattr(data_set.file_meta, "TransferSyntaxUID", ""))
    except Exception as error:
        return {"file": path, "error": type(error).__name__, "forced": forced}
    return {
        "file": path,
        "error": None,
        "forced": forced,
        "syntax": syntax,
        "elements": elements,
        "texts": out,
    }


for line in open(sys.argv[1], encoding="utf-8"):
    print(json.dumps(dump(line.rstrip("\n"))), flush=True)
