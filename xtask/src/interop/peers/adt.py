"""Tells, as a Korean record does (CP949, MSH-18 empty), that a patient has pyonephrosis; prints MSA-1 of the answer.

adt.py PORT PATIENT_ID DAY
"""

import socket
import sys

from hl7apy.core import Message

port, patient, day = int(sys.argv[1]), sys.argv[2], sys.argv[3]
adt = Message("ADT_A01", version="2.5.1")
adt.msh.msh_3 = "HIS"
adt.msh.msh_4 = "KSH"
adt.msh.msh_7 = day
adt.msh.msh_9 = "ADT^A08^ADT_A01"
adt.msh.msh_10 = "1"
adt.msh.msh_11 = "P"
adt.pid.pid_3 = f"{patient}^^^^PI"
adt.pid.pid_5 = "홍^길동"
adt.dg1.dg1_1 = "1"
adt.dg1.dg1_3 = "N13.6^농신증^KCD"
adt.dg1.dg1_5 = day
adt.dg1.dg1_6 = "F"
with socket.create_connection(("127.0.0.1", port), 10) as connection:
    connection.sendall(b"\x0b" + adt.to_er7().encode("cp949") + b"\x1c\r")
    answer = b""
    while not answer.endswith(b"\x1c\r"):
        answer += connection.recv(4096) or sys.exit("closed without an answer")
print(next(line for line in answer.decode("ascii").split("\r") if line.startswith("MSA")).split("|")[1])
