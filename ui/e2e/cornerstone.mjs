// What Cornerstone3D's adapters, with which OHIF opens results, make of a study's segmentation and report: asked over DICOMweb as a viewer asks,
// printed as one line of JSON. Arguments: http://host:port, a token, the study's UID.
import { createHash } from "node:crypto";
import { adaptersSEG, adaptersSR } from "@cornerstonejs/adapters";
import { metaData, utilities } from "@cornerstonejs/core";
import { wadors } from "@cornerstonejs/dicom-image-loader";
import dcmjs from "dcmjs";

const [base, token, study] = process.argv.slice(2);
const root = `${base}/dicom-web/studies/${study}/series`;

async function ask(path, accept = "application/dicom+json") {
  const answer = await fetch(`${root}${path}`, { headers: { Authorization: `Bearer ${token}`, Accept: accept } });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer;
}

const value = (data, tag) => data[tag]?.Value?.[0];
const series = await (await ask("")).json();

/** The metadata and the bytes of the one instance of a modality. */
async function only(modality) {
  const found = series.filter((one) => value(one, "00080060") === modality);
  if (found.length !== 1) throw new Error(`${found.length} series of ${modality}`);
  const path = `/${value(found[0], "0020000E")}`;
  const [metadata] = await (await ask(`${path}/metadata`)).json();
  const instance = await ask(`${path}/instances/${value(metadata, "00080018")}`, "application/dicom");
  return { metadata, bytes: await instance.arrayBuffer() };
}

// The stack that the segmentation names, in the order in which Cornerstone3D makes a volume of it.
wadors.register();
const segmentation = await only("SEG");
const referenced = value(value(segmentation.metadata, "00081115"), "0020000E");
const imageOfInstance = new Map();
for (const instance of await (await ask(`/${referenced}/metadata`)).json()) {
  const uid = value(instance, "00080018");
  const imageId = `wadors:${root}/${referenced}/instances/${uid}/frames/1`;
  wadors.metaDataManager.add(imageId, instance);
  imageOfInstance.set(uid, imageId);
}
const { sortedImageIds, zSpacing } = utilities.sortImageIdsAndGetSpacing([...imageOfInstance.values()]);

const read = await adaptersSEG.Cornerstone3D.Segmentation.createFromDICOMSegBuffer(sortedImageIds, segmentation.bytes, {
  metadataProvider: metaData,
});
const stacks = read.labelMapImages.map((images) => images.map((image) => image.voxelManager.getScalarData()));
const plane = metaData.get("imagePlaneModule", read.labelMapImages[0][0].imageId);
const voxel = plane.rowPixelSpacing * plane.columnPixelSpacing * zSpacing;
const segments = read.segMetadata.data.filter(Boolean).map((segment) => {
  const hash = createHash("sha256");
  const slices = {};
  let voxels = 0;
  for (let slice = 0; slice < sortedImageIds.length; slice++) {
    const mask = new Uint8Array(plane.rows * plane.columns);
    for (const labels of stacks) labels[slice].forEach((label, at) => (mask[at] |= label === segment.SegmentNumber));
    const inside = mask.reduce((sum, one) => sum + one, 0);
    if (inside > 0) slices[slice] = inside;
    voxels += inside;
    hash.update(mask);
  }
  const { x, y, z } = read.centroids.get(segment.SegmentNumber).world;
  return {
    number: segment.SegmentNumber,
    label: segment.SegmentLabel,
    slices,
    voxels,
    sha256: hash.digest("hex"),
    volume_mm3: voxels * voxel,
    centroid_mm: [x, y, z],
  };
});

// The report: dcmjs reads its content, which is what the adapters are handed.
const report = dcmjs.data.DicomMetaDictionary.naturalizeDataset(dcmjs.data.DicomMessage.readFile((await only("SR")).bytes).dict);
const TEMPLATE_OF_A_GROUP = "1411";
const items = (node) => [node?.ContentSequence ?? []].flat();
const code = (sequence) => sequence?.[0]?.CodeValue;
const child = (node, concept) => items(node).find((item) => code(item.ConceptNameCodeSequence) === concept);
const below = (node) => items(node).flatMap((item) => [item, ...below(item)]);
const groups = below(report)
  .filter((item) => item.ContentTemplateSequence?.[0]?.TemplateIdentifier === TEMPLATE_OF_A_GROUP)
  .map((group) => ({
    tracking_id: child(group, "112039").TextValue,
    tracking_uid: child(group, "112040").UID,
    segment: child(group, "121191").ReferencedSOPSequence[0].ReferencedSegmentNumber,
    numbers: items(group)
      .filter((item) => item.ValueType === "NUM")
      .map((item) => ({
        concept: code(item.ConceptNameCodeSequence),
        derivation: code(child(item, "121401")?.ConceptCodeSequence) ?? null,
        value: item.MeasuredValueSequence[0].NumericValue,
        unit: code(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence),
      })),
  }));

// The adapters make an annotation of a group that has drawn coordinates; ours have segments instead.
const instances = Object.fromEntries([...imageOfInstance].map(([uid, imageId]) => [`${uid}:1`, imageId]));
const tools = adaptersSR.Cornerstone3D.MeasurementReport.generateToolState(report, instances, metaData);
const annotations = Object.values(tools).flat().length;

console.log(JSON.stringify({ segments, groups, annotations }));
