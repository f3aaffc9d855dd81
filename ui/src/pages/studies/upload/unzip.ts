import { Unzip, UnzipInflate } from "fflate";

import type { Item } from "../../../api/stow";

/** No file of an archive is longer than this: a small archive may hold endless zeros. */
const largestFile = 2 * 1024 * 1024 * 1024;

/** The files of a zip, one after the other: never all of them in memory. */
export async function* unzipped(zip: Item): AsyncGenerator<Item> {
  const ready: Item[] = [];
  let failure: Error | null = null;
  const reader = new Unzip((member) => {
    if (member.name.endsWith("/")) return;
    const parts: BlobPart[] = [];
    let length = 0;
    member.ondata = (error, data, last) => {
      if (error) {
        failure = error;
        return;
      }
      length += data.length;
      if (length > largestFile) {
        failure = new Error("too long");
        member.terminate();
        return;
      }
      parts.push(data as BlobPart);
      if (last) ready.push({ path: `${zip.path}/${member.name}`, file: new Blob(parts) });
    };
    member.start();
  });
  reader.register(UnzipInflate);
  const source = zip.file.stream().getReader();
  let any = false;
  for (;;) {
    const { done, value } = await source.read();
    reader.push(value ?? new Uint8Array(), done);
    if (failure) throw failure;
    for (let item = ready.shift(); item; item = ready.shift()) {
      any = true;
      yield item;
    }
    if (done) break;
  }
  if (!any) throw new Error("no zip");
}
