"""What Schemathesis does not know by itself of DICOMweb."""

from schemathesis.transport.requests import REQUESTS_TRANSPORT

BOUNDARY = "schemathesis-boundary"


@REQUESTS_TRANSPORT.serializer("multipart/related")
def related(ctx, value):
    """One part of application/dicom, whatever it holds (RFC 2387)."""
    part = getattr(value, "data", value)
    part = part if isinstance(part, bytes) else str(part).encode()
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    content_type = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    return {"data": head + part + f"\r\n--{BOUNDARY}--\r\n".encode(), "headers": {"Content-Type": content_type}}
