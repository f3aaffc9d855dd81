import i18next, { type BackendModule } from "i18next";
import { type ComponentProps, type ComponentType, createElement, lazy } from "react";
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

/** Where the texts of a language do not come, the page goes on in the one that it has. */
export function setLanguage(value: string) {
  if (!isLanguage(value)) return;
  window.localStorage.setItem(storageKey, value);
  wanted = value;
  turning = turn(value);
}

async function turn(language: Language) {
  const parts = opened();
  // Asks again for what did not come before.
  await i18next.reloadResources(language, parts);
  if (wanted !== language || !parts.every((part) => i18next.hasResourceBundle(language, part))) return;
  await i18next.changeLanguage(language);
  // What was opened meanwhile was asked for in the language until then.
  await i18next.loadNamespaces(opened());
}

const opened = () => [i18next.options.ns ?? []].flat();

/** What is said by parts of the page that come when they are opened, in files of its own: the list must be there at once. */
export const later = "later";

/** The file of a part's texts. */
function textsOf(language: string, part: string): Promise<{ default: object }> {
  const [ko, en] = part === later
    ? [() => import("./later-ko.json"), () => import("./later-en.json")]
    : [() => import("./ko.json"), () => import("./en.json")];
  return (language === "ko" ? ko : en)();
}

/** One language is loaded: each says everything, which a test holds. */
const texts: BackendModule = {
  type: "backend",
  init: () => undefined,
  read: (language, part, done) => {
    textsOf(language, part).then(
      (all) => done(null, all.default),
      (error: unknown) => done(error instanceof Error ? error : new Error("texts did not come"), false),
    );
  },
};

i18next.on("languageChanged", (language) => {
  document.documentElement.lang = language;
});

const initial = initialLanguage();
/** Resolves when there are words to show. */
export const ready = i18next.use(texts).use(initReactI18next).init({
  lng: initial,
  fallbackLng: false,
  fallbackNS: later,
  interpolation: { escapeValue: false },
});

/** The language that was chosen last, and the way there. */
let wanted = initial;
let turning: Promise<unknown> = ready;

/** Resolves when there are words for the parts that come when they are opened. From now on, every language that is chosen brings them. */
export async function laterTexts() {
  await Promise.all([i18next.loadNamespaces(later), turning]);
  if (!i18next.hasResourceBundle(i18next.language, later)) throw new Error("texts did not come");
}

/** What is on its way because somebody asked for it before it is shown. */
const coming = new Set<Promise<unknown>>();

/**
 * A part of the page that comes when it is opened, and is shown once its texts are there, too. `come` lets both come before; then nothing is waited for where it is
 * shown: React keeps what it put in a part's place for 0.3 s, however soon the part comes.
 */
export function whenOpened<Part extends ComponentType<any>>(load: () => Promise<{ default: Part }>) {
  let arrived: Part | null = null;
  const come = () => {
    // The file of the texts is asked for beside the code, and not after the page's first words.
    textsOf(wanted, later).catch(() => undefined);
    const all = Promise.all([load(), ready.then(laterTexts)]).then(([part]) => {
      arrived = part.default;
      return part;
    });
    coming.add(all);
    return all;
  };
  const Later = lazy(come);
  const Opened = (props: ComponentProps<Part>) => createElement((arrived ?? Later) as ComponentType<ComponentProps<Part>>, props);
  return Object.assign(Opened, { come });
}

/** Milliseconds that a page's first words are waited for, so that the part that was opened is shown with them. */
const patience = 1000;

/** Resolves when there are words to show, and those parts that were asked for by then; they are not waited for too long. */
export async function begun() {
  await ready;
  await Promise.race([Promise.allSettled(coming), new Promise((done) => setTimeout(done, patience))]);
}
