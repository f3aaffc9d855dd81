"""A FHIR server that takes transactions: checks each with fhir.resources (R4B), keeps resources by their identifiers, fails once at first.

fhir_receiver.py PORT FOLDER
"""

import http.server
import json
import pathlib
import sys

from fhir.resources.R4B.bundle import Bundle

folder = pathlib.Path(sys.argv[2])
heard = 0
kept = {}


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        global heard
        heard += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        (folder / f"{heard:03}.json").write_bytes(body)
        if heard == 1:
            return self.answer(503, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "timeout"}]})
        try:
            bundle = Bundle.model_validate_json(body)
            assert bundle.type == "transaction" and self.path == "/fhir"
            assert self.headers["Content-Type"] == "application/fhir+json"
        except Exception as error:
            (folder / f"{heard:03}.fault").write_text(repr(error))
            return self.answer(422, {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid"}]})
        entries = []
        for entry in bundle.entry:
            key = entry.request.ifNoneExist or entry.request.url
            new = key not in kept
            if new or not entry.request.ifNoneExist:
                kept[key] = json.loads(entry.resource.model_dump_json())
            entries.append({"response": {"status": "201 Created" if new else "200 OK"}})
        (folder / "kept").write_text(json.dumps(kept))
        self.answer(200, {"resourceType": "Bundle", "type": "transaction-response", "entry": entries})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
