import i18next from "i18next";
import { expect, it, vi } from "vitest";

import { laterTexts, ready, setLanguage } from ".";
import en from "./en.json";
import laterEn from "./later-en.json";

const server = vi.hoisted(() => ({ down: true }));
vi.mock("./later-ko.json", async (original) => {
  if (server.down) throw new Error("gone");
  return await original();
});

it("goes on in the language that it has where another does not come, and shows no names of texts", async () => {
  await ready;
  await laterTexts();
  const spoken: string[] = [];
  i18next.on("languageChanged", (language) => spoken.push(language));
  setLanguage("ko");
  await laterTexts();
  expect(spoken).toEqual([]);
  expect([i18next.t("studies.title"), i18next.t("viewer.title")]).toEqual([en.studies.title, laterEn.viewer.title]);
  expect(document.documentElement.lang).toBe("en");
  // It is what the page speaks once it is loaded again, or once it is chosen again and comes.
  expect(window.localStorage.getItem("hilum.language")).toBe("ko");
  server.down = false;
  setLanguage("ko");
  await laterTexts();
  expect([spoken, document.documentElement.lang]).toEqual([["ko"], "ko"]);
});
