"""A Task Requester and Watcher of IHE AI Workflow for Imaging: asks for a reading, is told over a WebSocket, fetches what came of it.

Arguments: http://host:port, a token, the folder of a study's files. Prints what it saw, in one line of JSON.
"""

import base64
import hashlib
import io
import json
import os
import socket
import struct
import sys
import time
import urllib.request
from email.parser import BytesParser
from pathlib import Path

import highdicom
import pydicom
from dicomweb_client import DICOMwebClient
from dicomweb_client.session_utils import create_session
from pydicom.uid import generate_uid

base, token, folder = sys.argv[1:4]
host, port = base.removeprefix("http://").split(":")
files = [pydicom.dcmread(path) for path in sorted(Path(folder).rglob("*.dcm"))]
study = str(files[0].StudyInstanceUID)
WORKLIST = "1.2.840.10008.5.1.4.34.5"
LIMIT = 300


def ask(method, path, body=None, accept="application/dicom+json"):
    request = urllib.request.Request(path if path.startswith("http") else f"{base}/dicom-web{path}", method=method)
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("Accept", accept)
    if body is not None:
        request.add_header("Content-Type", "application/dicom+json")
        request.data = json.dumps([body.to_json_dict()]).encode()
    return urllib.request.urlopen(request)


class Channel:
    """RFC 6455, the client's side of it."""

    def __init__(self, url):
        path = url.split(f":{port}", 1)[1]
        self.socket = socket.create_connection((host, int(port)), timeout=LIMIT)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self.reader = self.socket.makefile("rb")
        status = self.reader.readline()
        assert b" 101 " in status, status
        headers = dict(line.strip().split(b": ", 1) for line in iter(self.reader.readline, b"\r\n"))
        headers = {name.lower(): value for name, value in headers.items()}
        due = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        assert headers[b"sec-websocket-accept"] == due

    def event(self):
        while True:
            first, second = self.reader.read(2)
            length = second & 127
            if length == 126:
                (length,) = struct.unpack(">H", self.reader.read(2))
            payload = self.reader.read(length)
            if first & 15 == 9:
                mask = os.urandom(4)
                pong = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
                self.socket.sendall(bytes([0x8A, 0x80 | len(payload)]) + mask + pong)
            elif first & 15 == 1:
                return json.loads(payload)


def wanted(of_study):
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "urinary-stone", "99HILUM", "CT stones"
    source = pydicom.Dataset()
    source.TypeOfInstances, source.StudyInstanceUID = "DICOM", of_study
    step = pydicom.Dataset()
    step.PatientName, step.PatientID = files[0].PatientName, files[0].PatientID
    step.PatientBirthDate, step.PatientSex = "", ""
    step.ScheduledProcedureStepStartDateTime = "20260101"
    step.ScheduledWorkitemCodeSequence, step.InputInformationSequence = [code], [source]
    step.InputReadinessState, step.ProcedureStepState = "READY", "SCHEDULED"
    step.ScheduledProcedureStepPriority, step.ProcedureStepLabel = "HIGH", "CT stones"
    return step


subscribed = ask("POST", f"/workitems/{WORKLIST}/subscribers/REQUESTER?deletionlock=true")
assert subscribed.status == 201
channel = Channel(subscribed.headers["Content-Location"])
uid = generate_uid()
assert ask("POST", f"/workitems?{uid}", wanted(study)).status == 201
session = create_session()
session.headers["Authorization"] = f"Bearer {token}"
DICOMwebClient(f"{base}/dicom-web", session=session).store_instances(files)

states, progress, started = [], [], time.monotonic()
while not states or states[-1] not in ("COMPLETED", "CANCELED"):
    assert time.monotonic() - started < LIMIT, states
    event = channel.event()
    assert event["00001000"]["Value"] == [uid], event
    kind = event["00001002"]["Value"][0]
    if kind == 1:
        states.append(event["00741000"]["Value"][0])
    elif kind == 3:
        item = event["00741002"]["Value"][0]
        progress.append(float(item["00741004"]["Value"][0]))
assert states == ["SCHEDULED", "IN PROGRESS", "COMPLETED"], (states, event)
assert progress == sorted(progress) and progress[-1] == 100, progress

step = pydicom.Dataset.from_json(json.load(ask("GET", f"/workitems/{uid}"))[0])
assert step.ProcedureStepState == "COMPLETED" and "TransactionUID" not in step
performed = step.UnifiedProcedureStepPerformedProcedureSequence[0]
assert performed.PerformedWorkitemCodeSequence[0].CodeValue == "urinary-stone"
kinds = []
for output in performed.OutputInformationSequence:
    due = {str(item.ReferencedSOPInstanceUID) for item in output.ReferencedSOPSequence}
    url = output.WADORSRetrievalSequence[0].RetrieveURL
    answer = ask("GET", url, accept='multipart/related; type="application/dicom"')
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + answer.read()).get_payload()
    bodies = [part.get_payload(decode=True) for part in parts]
    objects = [pydicom.dcmread(io.BytesIO(body)) for body in bodies]
    assert {str(one.SOPInstanceUID) for one in objects} == due, url
    assert all(one.StudyInstanceUID == study and one.PatientID == step.PatientID for one in objects)
    for one, body in zip(objects, bodies):
        kinds.append(one.Modality)
        if one.Modality == "SR":
            report = highdicom.sr.srread(io.BytesIO(body))
            groups = report.content.get_volumetric_roi_measurement_groups()
            assert groups and all(group.tracking_uid for group in groups)
        if one.Modality == "SEG":
            segments = highdicom.seg.segread(io.BytesIO(body)).number_of_segments
assert segments == len(groups), (segments, len(groups))

# Another one, whose study never comes, is cancelled.
other = generate_uid()
assert ask("POST", f"/workitems?{other}", wanted(generate_uid())).status == 201
reason = pydicom.Dataset()
reason.ReasonForCancellation = "ordered twice"
assert ask("POST", f"/workitems/{other}/cancelrequest", reason).status == 202
last = None
while last != "CANCELED":
    event = channel.event()
    assert event["00001000"]["Value"] == [other]
    last = event.get("00741000", {}).get("Value", [None])[0] if event["00001002"]["Value"][0] == 1 else last
print(json.dumps({"states": states, "progress": len(progress), "objects": sorted(kinds), "stones": len(groups)}))
