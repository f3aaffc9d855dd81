import { describe, expect, it } from "vitest";

import { chapters, loadChapter, written } from "./guide";

describe("the user guide", () => {
  it("has every chapter in both languages, and no others", () => {
    expect([...written].sort()).toEqual(["en", "ko"].flatMap((language) => chapters.map((chapter) => `${language}/${chapter}`)).sort());
  });

  it.each(chapters)("says in both languages the same: %s", async (chapter) => {
    const [korean, english] = await Promise.all([loadChapter("ko", chapter), loadChapter("en", chapter)]);
    const shape = (html: string) => [...html.matchAll(/<(h\d|li|tr|img|pre)\b/g)].map((match) => match[1]);
    expect(shape(korean)).toEqual(shape(english));
    expect(korean).toMatch(/\p{Script=Hangul}/u);
    expect(english).not.toMatch(/\p{Script=Hangul}/u);
    expect(english).toMatch(/^<h1/);
  });
});
