import { QueryClient } from "@tanstack/react-query";
import type { LoaderFunctionArgs } from "react-router";
import { expect, it, vi } from "vitest";

import { refused, signedIn, signedOut } from "../api/session";
import type { StudyDetail } from "../api/types";
import { refusal, serve, sessionOf } from "../testing/server";
import { imagesBeforehand } from "./beforehand";

type Series = StudyDetail["series"][number];

const series = (uid: string, modality: string, chosen = false) => ({ series_uid: uid, modality, slices: 2, chosen }) as Series;
const study = { study_uid: "1.2", series: [series("1.2.1", "SR"), series("1.2.2", "CT"), series("1.2.3", "CT", true), series("1.2.4", "CT")], reading: { state: "done" } };

function open(search: string, reported: string | null) {
  const heard = serve({
    "GET /api/v1/studies/1.2": () => Response.json(study),
    "GET /api/v1/studies/1.2/measurements": () => Response.json([]),
    "GET /api/v1/studies/1.2/report": () =>
      reported === null ? refusal(404, "not_found") : Response.json({ version: 3, stones: [{}], study: { series: { series_uid: reported } } }),
    "GET /api/v1/studies/1.2/report/versions/3/review": () => Response.json({}),
    "GET /api/v1/studies/1.2/report/versions/3/mask": () => Response.json({}),
    "GET /dicom-web/studies/1.2/series/1.2.2/metadata": () => Response.json([]),
    "GET /dicom-web/studies/1.2/series/1.2.3/metadata": () => Response.json([]),
    "GET /dicom-web/studies/1.2/series/1.2.4/metadata": () => Response.json([]),
  });
  const code = vi.fn(() => Promise.resolve());
  const loader = imagesBeforehand(new QueryClient(), code);
  const request = new Request(`http://127.0.0.1/studies/1.2/view${search}`);
  expect((loader as (args: LoaderFunctionArgs) => unknown)({ params: { studyUid: "1.2" }, request } as unknown as LoaderFunctionArgs)).toBe(null);
  expect(code).toHaveBeenCalledTimes(1);
  return { heard, metadata: () => heard.flatMap(({ act }) => /series\/(.+)\/metadata/.exec(act)?.[1] ?? []) };
}

it("lets the code of the images come, and asks for nothing of a study, where nobody is signed in", async () => {
  signedOut();
  refused();
  const { heard } = open("", null);
  await new Promise((done) => setTimeout(done, 50));
  expect(heard).toEqual([]);
});

it("asks for the series that the page will show, once, before the report is there, and for what lies over it", async () => {
  signedIn(sessionOf(1, "hong", ["radiologist"]));
  const reported = open("", "1.2.3");
  await vi.waitFor(() => expect(reported.metadata()).toEqual(["1.2.3"]));
  await vi.waitFor(() => expect(reported.heard.map(({ act }) => act.split("/").at(-1)).sort()).toEqual(["1.2", "mask", "measurements", "metadata", "report", "review"]));
  const other = open("", "1.2.2");
  await vi.waitFor(() => expect(other.metadata()).toEqual(["1.2.3", "1.2.2"]));
  const asked = open("?series=1.2.4&image=7", "1.2.2");
  await vi.waitFor(() => expect(asked.metadata()).toEqual(["1.2.4"]));
  const unread = open("?series=1.2.9", null);
  await vi.waitFor(() => expect(unread.metadata()).toEqual(["1.2.3"]));
  expect(unread.heard.map(({ act }) => act).filter((act) => act.includes("versions"))).toEqual([]);
});
