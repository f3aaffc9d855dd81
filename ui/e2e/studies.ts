import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import type { Visit } from "./harness";

export interface Study {
  study_uid: string;
  study_date: string | null;
  description: string;
  patient: { id: string; name: string };
  workflow: string;
  reading: { state: string; progress: number; stone_count: number | null };
}

export async function studies(visit: Visit): Promise<Study[]> {
  return (await visit.ask<{ items: Study[] }>("/api/v1/studies/search", { method: "POST", body: { limit: 200 } })).items;
}

/** Waits for a study that was read and not signed and has so many stones at least, of those that are wanted. */
export async function withStones(visit: Visit, least = 1, wanted: (study: Study) => boolean = () => true): Promise<Study> {
  let found: Study | undefined;
  const there = async () => {
    const fits = ({ reading, workflow }: Study) => reading.state === "done" && workflow !== "signed" && (reading.stone_count ?? 0) >= least;
    found = (await studies(visit)).find((one) => fits(one) && wanted(one));
    return found !== undefined;
  };
  await visit.until(`no study with ${least} stones was read`, there, 300_000);
  if (!found) throw new Error("no study");
  return found;
}

export function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

/** Sends files as STOW-RS does, in the visit's session. */
export async function stow(visit: Visit, files: string[]) {
  const boundary = "hilum-e2e";
  const parts = files.flatMap((file) => [
    Buffer.from(`\r\n--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`), readFileSync(file),
  ]);
  const { request } = visit.page.context();
  const { csrf } = (await (await request.get("/api/v1/session")).json()) as { csrf: string };
  const answer = await request.post("/dicom-web/studies", {
    headers: { "Content-Type": `multipart/related; type="application/dicom"; boundary=${boundary}`, Accept: "application/dicom+json", "X-Hilum-Csrf": csrf },
    data: Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  });
  if (!answer.ok() && answer.status() !== 202) throw new Error(`STOW-RS answered ${answer.status()}`);
}
