import i18next from "i18next";
import { describe, expect, it, vi } from "vitest";

import { laterTexts, ready, setLanguage } from ".";
import en from "./en.json";
import ko from "./ko.json";
import laterEn from "./later-en.json";
import laterKo from "./later-ko.json";

const plural = /_(zero|one|other)$/;

/** Every key path of a language; plural forms count as one (Korean has only "other"). */
function keys(tree: object, path = ""): string[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === "object" && value !== null
      ? keys(value as object, `${path}${key}.`)
      : [`${path}${key}`.replace(plural, "")],
  );
}

/** What a text leaves open, `{{name}}`. */
function gaps(tree: object, path = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === "string") {
      found.set(`${path}${key}`, [...value.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]).sort().join());
    } else {
      for (const [inner, gap] of gaps(value as object, `${path}${key}.`)) found.set(inner, gap);
    }
  }
  return found;
}

/** The interface's own source, by its path. */
const sources = new Map(
  Object.entries(import.meta.glob<string>(["../**/*.{ts,tsx}", "!../**/*.test.*", "!../testing/**", "!../api/__generated__/**"], { query: "?raw", import: "default", eager: true }))
    .map(([path, text]) => [new URL(path, "file:///src/i18n/").pathname, text]),
);

/** The keys that a file may ask for: each text in it that looks like one, and whatever fills the gaps of a template. */
function asked(path: string): RegExp[] {
  const texts = (sources.get(path) ?? "").matchAll(/"([\w.]+)"|`((?:[\w.]|\$\{[^{}`]*\})+)`/g);
  return [...texts].map(([, text, template]) => {
    const parts = (text ?? template ?? "").replace(plural, "").split(/\$\{[^}]*\}/);
    return new RegExp(`^${parts.map((part) => part.replaceAll(".", "\\.")).join("\\w+")}$`);
  });
}

/** Sentences that the server says in English with its figures; Korean translates them by their code. */
const byCode = (key: string) => key.startsWith("notes.");

describe.each([["at first", ko, en], ["later", laterKo, laterEn]])("the two languages, %s,", (_when, korean, english) => {
  it("say the same things", () => {
    expect([...new Set(keys(korean))].filter((key) => !byCode(key)).sort()).toEqual([...new Set(keys(english))].sort());
  });

  it("leave the same gaps in each sentence", () => {
    const gapsOfEnglish = gaps(english);
    for (const [key, gap] of gaps(korean)) if (!byCode(key)) expect([key, gap]).toEqual([key, gapsOfEnglish.get(key)]);
  });
});

describe("what comes later", () => {
  const later = new Set(keys(laterKo));

  it("is said nowhere else", () => {
    expect(keys(ko).filter((key) => later.has(key))).toEqual([]);
  });

  it("is there in the language that is turned to meanwhile, and in each that is chosen after", async () => {
    await ready;
    expect([i18next.language, i18next.t("viewer.title")]).toEqual(["en", "viewer.title"]);
    setLanguage("ko");
    await laterTexts();
    expect([i18next.t("viewer.title"), i18next.t("studies.title")]).toEqual([laterKo.viewer.title, ko.studies.title]);
    setLanguage("en");
    await vi.waitFor(() => expect(i18next.language).toBe("en"));
    expect([i18next.t("viewer.title"), i18next.t("studies.title")]).toEqual([laterEn.viewer.title, en.studies.title]);
  });

  it("is not asked for by anything that is there at first", () => {
    const first = new Set<string>();
    const read = (path: string) => {
      const text = sources.get(path);
      if (text === undefined || first.has(path)) return;
      first.add(path);
      // Whatever is imported, but for its types alone, or by a call that waits for what comes later.
      const imports = [...text.matchAll(/^(?:import|export) (?!type )(?:[^;"]*? from )?"(\.[^"]+)";|(?<!whenOpened\(\(\) => )\bimport\("(\.[^"]+)"\)/gm)];
      for (const [, from, called] of imports) {
        for (const end of [".ts", ".tsx", "/index.ts"]) read(new URL(from ?? called ?? "", `file://${path}`).pathname + end);
      }
    };
    read("/src/main.tsx");
    for (const there of ["studies/StudyRow.tsx", "studies/upload/unzip.ts"]) expect(first).toContain(`/src/pages/${there}`);
    for (const absent of ["studies/detail/DetailPane.tsx", "sign-in/SignInPage.tsx"]) expect(first).not.toContain(`/src/pages/${absent}`);
    const wrong = [...first].flatMap((path) => asked(path).filter((one) => [...later].some((key) => one.test(key))).map((one) => `${path}: ${one.source}`));
    expect(wrong).toEqual([]);
  });
});

describe("what is said", () => {
  const said = new Set([...keys(ko), ...keys(laterKo), ...keys(en), ...keys(laterEn)]);
  const all = [...sources.keys()].flatMap(asked);

  it("is asked for somewhere", () => {
    expect([...said].filter((key) => !all.some((one) => one.test(key)))).toEqual([]);
  });

  it("is everything that is asked for", () => {
    const parts = new Set([...said].map((key) => key.split(".")[0]));
    const wanted = [...sources].flatMap(([path, text]) =>
      [...text.matchAll(/["`](\w+)(?:\.\w+)+["`]/g)].filter(([, part = ""]) => parts.has(part)).map(([key]) => [path, key.slice(1, -1).replace(plural, "")]),
    );
    expect(wanted.length).toBeGreaterThan(500);
    expect(wanted.filter(([, key = ""]) => !said.has(key))).toEqual([]);
  });
});
