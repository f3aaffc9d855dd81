"""Milliseconds that libjpeg-turbo takes for a slice as Hilum renders it (median of a folder's slices, quality 90), through Pillow."""

import io
import statistics
import sys
import time
from pathlib import Path

import numpy
import pydicom
from PIL import Image, features
from pydicom.pixels import apply_modality_lut, apply_windowing

times = []
for path in sorted(Path(sys.argv[1]).rglob("*.dcm"))[::5]:
    data_set = pydicom.dcmread(path)
    grey = apply_windowing(apply_modality_lut(data_set.pixel_array, data_set), data_set)
    low, high = apply_windowing(numpy.array([-1e6, 1e6]), data_set)
    picture = Image.fromarray(((grey - low) / (high - low) * 255).round().astype("uint8"))
    for _ in range(5):
        start = time.perf_counter()
        picture.save(io.BytesIO(), "JPEG", quality=90)
        times.append(1000 * (time.perf_counter() - start))
print(features.version("libjpeg_turbo"), statistics.median(times))
