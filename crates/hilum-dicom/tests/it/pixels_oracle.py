"""HU of every frame of every monochrome file below the folders given, by pydicom and NumPy.

One line a frame: path, frame, transfer syntax, rows, columns, HU as "sha256 sum min max" or "error REASON"."""
import hashlib
import logging
import os
import sys

import numpy as np
import pydicom
from pydicom.pixels import pixel_array

logging.disable(logging.CRITICAL)


def rescale(ds, frame):
    for name in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        groups = ds.get(name)
        if groups:
            group = groups[frame if name.startswith("Per") else 0]
            values = group.get("PixelValueTransformationSequence")
            if values:
                return float(values[0].RescaleSlope), float(values[0].RescaleIntercept)
    if ds.get("RescaleSlope") is None or ds.get("RescaleIntercept") is None:
        return 1.0, 0.0
    return float(ds.RescaleSlope), float(ds.RescaleIntercept)


def hu(ds, path, frame, frames):
    native = not ds.file_meta.TransferSyntaxUID.is_encapsulated
    stored = pixel_array(ds, index=frame if frames > 1 else None, raw=True).astype(np.int64)
    bits, high = ds.BitsStored, ds.get("HighBit", ds.BitsStored - 1)
    signed = ds.PixelRepresentation == 1
    if native:
        stored = (stored >> (high + 1 - bits)) & ((1 << bits) - 1)
        if signed:
            stored = np.where(stored >= 1 << (bits - 1), stored - (1 << bits), stored)
    slope, intercept = rescale(ds, frame)
    value = stored * slope + intercept
    value = np.sign(value) * np.floor(np.abs(value) + 0.5)
    value = np.clip(value, -32768, 32767)
    pad = ds.get("PixelPaddingValue")
    if pad is not None:
        pad = int(pad)
        limit = int(ds.get("PixelPaddingRangeLimit", pad))
        if signed:
            pad, limit = ((v + 32768) % 65536 - 32768 for v in (pad, limit))
        low, high = min(pad, limit), max(pad, limit)
        value = np.where((stored >= low) & (stored <= high), -1024, value)
    return value.astype("<i2")


for folder in sys.argv[1:]:
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(root, name)
            try:
                ds = pydicom.dcmread(path, force=True)
                if "PixelData" not in ds or not str(ds.get("PhotometricInterpretation")).startswith("MONO"):
                    continue
                syntax = str(ds.file_meta.TransferSyntaxUID)
                frames = int(ds.get("NumberOfFrames") or 1)
            except Exception:  # not DICOM, or no image
                continue
            if ds.get("Modality") == "SEG":
                continue
            for frame in sorted({0, 1, frames // 2, frames - 1} & set(range(frames))):
                try:
                    values = hu(ds, path, frame, frames)
                    rows, columns = values.shape
                    digest = hashlib.sha256(values.tobytes()).hexdigest()
                    text = f"{digest} {values.sum(dtype=np.int64)} {values.min()} {values.max()}"
                except Exception as error:
                    rows, columns, text = ds.get("Rows"), ds.get("Columns"), f"error {type(error).__name__} {str(error)[:80]!r}"
                print(path, frame, syntax, rows, columns, text.replace("\n", " "), sep="\t")
