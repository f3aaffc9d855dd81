import i18next, { type BackendModule } from "i18next";
import { initReactI18next } from "react-i18next";

export const languages = ["ko", "en"] as const;
export type Language = (typeof languages)[number];

const storageKey = "hilum.language";

export function isLanguage(value: string): value is Language {
  return languages.some((language) => language === value);
}

/** What the address asks for (?lang=), then what was chosen before, then what the browser speaks. */
function initialLanguage(): Language {
  const asked = new URLSearchParams(window.location.search).get("lang") ?? window.localStorage.getItem(storageKey);
  if (asked && isLanguage(asked)) return asked;
  return navigator.language.startsWith("ko") ? "ko" : "en";
}

export function setLanguage(value: string) {
  if (!isLanguage(value)) return;
  window.localStorage.setItem(storageKey, value);
  document.documentElement.lang = value;
  void i18next.changeLanguage(value);
}

/** One language is loaded: each says everything, which a test holds. */
const texts: BackendModule = {
  type: "backend",
  init: () => undefined,
  read: (language, _namespace, done) => {
    (language === "ko" ? import("./ko.json") : import("./en.json")).then(
      (all) => done(null, all.default),
      (error: unknown) => done(error instanceof Error ? error : new Error("texts did not come"), false),
    );
  },
};

const initial = initialLanguage();
/** Resolves when there are words to show. */
export const ready = i18next.use(texts).use(initReactI18next).init({
  lng: initial,
  fallbackLng: false,
  interpolation: { escapeValue: false },
});
document.documentElement.lang = initial;
