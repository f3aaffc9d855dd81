"""A receiver of HL7 v2 over MLLP: checks each message strictly with hl7apy, keeps it in a folder, refuses the first one once.

mllp_receiver.py PORT FOLDER
"""

import pathlib
import re
import socketserver
import sys

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

folder = pathlib.Path(sys.argv[2])
heard = 0


def checked(text):
    # hl7apy takes ED-5 for a text of 199 characters (HL7 2.5.1: 65,536), which no document has room in.
    text = re.sub(r"(\^Base64\^[A-Za-z0-9+/]{196})[A-Za-z0-9+/=]*", r"\1", text)
    message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
    message.validate()
    return message


class Receiver(socketserver.StreamRequestHandler):
    def handle(self):
        global heard
        rest = b""
        while True:
            while b"\x1c\r" not in rest:
                more = self.request.recv(1 << 16)
                if not more:
                    return
                rest += more
            data, _, rest = rest.partition(b"\x1c\r")
            heard += 1
            data = data.removeprefix(b"\x0b")
            control = data.split(b"|")[9].decode("ascii")
            (folder / f"{heard:03}.hl7").write_bytes(data)
            code = "AE" if heard == 1 else "AA"
            try:
                checked(data.decode("cp949"))
            except Exception as error:
                code = "AE"
                (folder / f"{heard:03}.fault").write_text(repr(error))
            answer = f"MSH|^~\\&|OCS||HILUM||20260101||ACK^R01^ACK|{heard}|P|2.5.1\rMSA|{code}|{control}\r"
            self.wfile.write(b"\x0b" + answer.encode("ascii") + b"\x1c\r")
            self.wfile.flush()


socketserver.ThreadingTCPServer.allow_reuse_address = True
with socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Receiver) as server:
    server.serve_forever()
