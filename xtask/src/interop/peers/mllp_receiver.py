"""A receiver of HL7 v2 over MLLP: checks each message strictly with hl7apy, keeps it in a folder, refuses the first one once.

mllp_receiver.py PORT FOLDER
"""

import pathlib
import socketserver
import sys

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

folder = pathlib.Path(sys.argv[2])
heard = 0


def checked(text):
    message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
    message.validate()
    return message


class Receiver(socketserver.StreamRequestHandler):
    def handle(self):
        global heard
        while True:
            data = b""
            while not data.endswith(b"\x1c\r"):
                byte = self.rfile.read(1)
                if not byte:
                    return
                data += byte
            heard += 1
            data = data[1:-2]
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
