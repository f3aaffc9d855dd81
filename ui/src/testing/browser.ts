import { vi } from "vitest";

/** What jsdom lacks and Mantine asks for. */
export function furnish() {
  vi.stubGlobal("matchMedia", (media: string) => ({
    media, matches: false, addEventListener: () => undefined, removeEventListener: () => undefined,
  }));
  vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
  Element.prototype.scrollIntoView = () => undefined;
}
