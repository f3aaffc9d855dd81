import { cleanup, configure } from "@testing-library/react";
import i18next from "i18next";
import { afterEach, beforeAll, vi } from "vitest";

import { laterTexts } from "../i18n";

/** The tests of a file read English, wait long enough for a busy machine, and leave nothing behind. */
export function inEnglish() {
  beforeAll(async () => {
    configure({ asyncUtilTimeout: 10_000 });
    await i18next.changeLanguage("en");
    // Parts that come when they are opened are shown here without their opening.
    await laterTexts();
  });
  afterEach(() => {
    cleanup();
    vi.unstubAllGlobals();
  });
}

/** What jsdom lacks and Mantine asks for. */
export function furnish() {
  vi.stubGlobal("matchMedia", (media: string) => ({
    media, matches: false, addEventListener: () => undefined, removeEventListener: () => undefined,
  }));
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  Element.prototype.scrollIntoView = () => undefined;
  // Nothing is laid out, but a list of which only what is in sight is drawn has to have a window.
  for (const [side, size] of [["clientWidth", 1200], ["clientHeight", 800]] as const) {
    Object.defineProperty(HTMLElement.prototype, side, {
      configurable: true,
      get(this: HTMLElement) {
        return this.classList.contains("grid-scroll") ? size : 0;
      },
    });
  }
  // Text areas that grow with their text measure it again when a font arrives.
  Object.defineProperty(document, "fonts", {
    configurable: true,
    value: { addEventListener: () => undefined, removeEventListener: () => undefined },
  });
}
