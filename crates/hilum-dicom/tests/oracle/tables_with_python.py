"""Code tables of Python's own codecs, one line a character: NAME BYTES-IN-HEX CODE-POINT-IN-HEX."""

SINGLE = {
    "ISO_IR 101": "iso8859_2", "ISO_IR 109": "iso8859_3", "ISO_IR 110": "iso8859_4", "ISO_IR 144": "iso8859_5",
    "ISO_IR 127": "iso8859_6", "ISO_IR 126": "iso8859_7", "ISO_IR 138": "iso8859_8", "ISO_IR 148": "iso8859_9",
    "ISO_IR 203": "iso8859_15", "ISO_IR 166": "tis_620", "ISO_IR 100": "latin_1", "ISO_IR 13": "shift_jis",
}
DOUBLE = {
    "ISO 2022 IR 149": (b"\x1b$)C", 0x80, "euc_kr", b""),
    "ISO 2022 IR 58": (b"\x1b$)A", 0x80, "gb2312", b""),
    "ISO 2022 IR 87": (b"\x1b$B", 0x00, "iso2022_jp", b"\x1b$B"),
    "ISO 2022 IR 159": (b"\x1b$(D", 0x00, "iso2022_jp_1", b"\x1b$(D"),
}


def show(name, written, codec, read):
    try:
        text = read.decode(codec)
    except UnicodeDecodeError:
        return
    if len(text) == 1:
        print(name.replace(" ", "~"), written.hex(), f"{ord(text):x}")


for name, codec in SINGLE.items():
    for code in range(0xA1, 0x100):
        show(name, bytes([code]), codec, bytes([code]))
for name, (escape, high, codec, prefix) in DOUBLE.items():
    for a in range(0x21, 0x7F):
        for b in range(0x21, 0x7F):
            pair = bytes([a | high, b | high])
            show(name, escape + pair, codec, prefix + pair)
