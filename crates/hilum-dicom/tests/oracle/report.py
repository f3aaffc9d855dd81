"""Prints what highdicom reads out of a measurement report."""
import sys

import highdicom as hd

sys.stdout.reconfigure(encoding="utf-8")
report = hd.sr.srread(sys.argv[1])
for group in report.content.get_volumetric_roi_measurement_groups():
    site = group.finding_sites[0] if group.finding_sites else None
    segment = group.reference_type and group.referenced_segment
    values = [f"{m.value:.16g} {m.unit.value}" for m in group.get_measurements()]
    print(
        group.tracking_identifier,
        site.value.meaning if site else "",
        site.laterality.meaning if site and site.laterality else "",
        segment[0].referenced_segment_numbers[0] if segment else "",
        *values,
        sep="|",
    )
images = report.content.get_image_measurement_groups()
assert not images
observer = report.VerifyingObserverSequence[0]
library = [item for item in report.ContentSequence if item.ConceptNameCodeSequence[0].CodeValue == "111028"][0]
count = sum(item.ValueType == "IMAGE" for item in library.ContentSequence[0].ContentSequence)
print(report.VerificationFlag, observer.VerifyingObserverName, count, "images")
