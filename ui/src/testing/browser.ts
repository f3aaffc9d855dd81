import { vi } from "vitest";

/** What jsdom lacks and Mantine asks for. */
export function furnish() {
  vi.stubGlobal("matchMedia", (media: string) => ({
    media, matches: false, addEventListener: () => undefined, removeEventListener: () => undefined,
  }));
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  Element.prototype.scrollIntoView = () => undefined;
  // Text areas that grow with their text measure it again when a font arrives.
  Object.defineProperty(document, "fonts", {
    configurable: true,
    value: { addEventListener: () => undefined, removeEventListener: () => undefined },
  });
}
