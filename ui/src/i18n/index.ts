import i18next from "i18next";
import { initReactI18next } from "react-i18next";

import en from "./en.json";
import ko from "./ko.json";

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

void i18next.use(initReactI18next).init({
  resources: { en: { translation: en }, ko: { translation: ko } },
  lng: initialLanguage(),
  fallbackLng: "en",
  interpolation: { escapeValue: false },
});
document.documentElement.lang = i18next.language;
