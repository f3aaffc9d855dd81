"""Audit messages against the schema of PS3.15 A.5.1.1 (libxml2's RelaxNG) and the codes of PS3.16 CID 400 to 402."""

import base64
import pathlib
import sys

from lxml import etree

# PS3.16 CID 400: code and meaning, and the EventActionCodes that PS3.15 A.5.3 gives it.
EVENTS = {
    "110100": ("Application Activity", "E"),
    "110101": ("Audit Log Used", "R"),
    "110103": ("DICOM Instances Accessed", "CRUD"),
    "110104": ("DICOM Instances Transferred", "CRU"),
    "110105": ("DICOM Study Deleted", "D"),
    "110106": ("Export", "R"),
    "110107": ("Import", "C"),
    "110109": ("Order Record", "CRUD"),
    "110110": ("Patient Record", "CRUD"),
    "110111": ("Procedure Record", "CRUD"),
    "110112": ("Query", "E"),
    "110113": ("Security Alert", "E"),
    "110114": ("User Authentication", "E"),
}
TYPES = {
    "110120": "Application Start",
    "110121": "Application Stop",
    "110122": "Login",
    "110123": "Logout",
    "110126": "Node Authentication",
    "110129": "Security Configuration",
    "110132": "Use of Restricted Function",
    "110136": "Security Roles Changed",
    "110137": "User Security Attributes Changed",
}
ROLES = {
    "110150": "Application",
    "110152": "Destination Role ID",
    "110153": "Source Role ID",
    "110154": "Destination Media",
    "110155": "Source Media",
}


def check(element, codes):
    meaning = codes[element.get("csd-code")]
    meaning = meaning[0] if isinstance(meaning, tuple) else meaning
    assert element.get("originalText") == meaning, etree.tostring(element)


schema = etree.RelaxNG(etree.parse(sys.argv[1]))
files = sorted(pathlib.Path(sys.argv[2]).glob("*.xml"))
for file in files:
    message = etree.fromstring(file.read_bytes())
    schema.assertValid(message)
    event = message.find("EventIdentification")
    check(event.find("EventID"), EVENTS)
    assert event.get("EventActionCode") in EVENTS[event.find("EventID").get("csd-code")][1]
    for kind in event.findall("EventTypeCode"):
        check(kind, TYPES)
    for role in message.findall("ActiveParticipant/RoleIDCode"):
        check(role, ROLES)
    # Exactly one of those who took part asked for it.
    asked = [who for who in message.findall("ActiveParticipant") if who.get("UserIsRequestor") == "true"]
    assert len(asked) == 1, file
    for query in message.findall("ParticipantObjectIdentification/ParticipantObjectQuery"):
        keys = base64.b64decode(query.text or "")
        # Implicit VR Little Endian: tag and a length of 0, in order of the tags.
        assert len(keys) % 8 == 0 and all(keys[at + 4 : at + 8] == b"\0\0\0\0" for at in range(0, len(keys), 8))
print(f"{len(files)} messages are valid")
