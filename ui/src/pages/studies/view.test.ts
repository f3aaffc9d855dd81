import { describe, expect, it } from "vitest";

import { countFilters, nextSort, readView, usualSort, writeView } from "./view";

describe("the address of the list", () => {
  it("says what it shows, and reads back the same", () => {
    const address = "from=2026-11-01&to=2026-11-26&modality=CT%2CMR&body=ABDOMEN&description=KUB&contrast=no&state=unread%2Cin_review&priority=stat&stones=present&sort=-date&study=1.2.3";
    const view = readView(new URLSearchParams(address));
    expect(view).toEqual({
      filter: {
        from: "2026-11-01", to: "2026-11-26", modality: ["CT", "MR"], body_part: ["ABDOMEN"], description: "KUB", contrast: false,
        workflow: ["unread", "in_review"], priority: ["stat"], stones: ["present"],
      },
      sort: { by: "date", descending: true },
      study: "1.2.3",
    });
    expect(writeView(view).toString()).toBe(address);
    expect(countFilters(view.filter)).toBe(9);
  });

  it("leaves out what is usual, and what nobody could have chosen", () => {
    const view = readView(new URLSearchParams("from=yesterday&state=burnt&priority=stat,very&sort=colour&contrast=maybe&name=Hong"));
    expect(view).toEqual({ filter: { priority: ["stat"] }, sort: usualSort, study: null });
    expect(writeView({ filter: {}, sort: usualSort, study: null }).toString()).toBe("");
  });

  it("turns the order round at the second click, and begins with what is wanted first", () => {
    expect(nextSort(usualSort, "date")).toEqual({ by: "date", descending: true });
    expect(nextSort(usualSort, "name")).toEqual({ by: "name", descending: false });
    expect(nextSort({ by: "name", descending: false }, "name")).toEqual({ by: "name", descending: true });
  });
});
