import { MantineProvider } from "@mantine/core";
import { act, cleanup, render, screen } from "@testing-library/react";
import { Suspense } from "react";
import { useTranslation } from "react-i18next";
import { createMemoryRouter, RouterProvider } from "react-router";
import { afterEach, expect, it, vi } from "vitest";

import { ready, setLanguage, whenOpened } from ".";
import { Broken } from "../app/Broken";
import { furnish } from "../testing/browser";
import en from "./en.json";
import laterEn from "./later-en.json";
import laterKo from "./later-ko.json";

afterEach(cleanup);

it("shows no part before its words are there, and turns it to another language whole", async () => {
  await ready;
  const seen: string[] = [];
  const Part = () => {
    const { t } = useTranslation();
    const text = t("viewer.title");
    seen.push(text);
    return <p>{text}</p>;
  };
  const Opened = whenOpened(() => Promise.resolve({ default: Part }));
  render(<Suspense fallback="waiting"><Opened /></Suspense>);
  expect(screen.getByText("waiting")).toBeDefined();
  expect(await screen.findByText(laterEn.viewer.title)).toBeDefined();
  act(() => setLanguage("ko"));
  expect(await screen.findByText(laterKo.viewer.title)).toBeDefined();
  act(() => setLanguage("en"));
  expect(await screen.findByText(laterEn.viewer.title)).toBeDefined();
  expect(new Set(seen)).toEqual(new Set([laterEn.viewer.title, laterKo.viewer.title]));
});

it("says what to do where a part does not come", async () => {
  furnish();
  vi.spyOn(console, "error").mockReturnValue();
  await ready;
  const Gone = whenOpened<() => null>(() => Promise.reject(new Error("gone")));
  const router = createMemoryRouter([{ errorElement: <Broken />, children: [{ path: "/", element: <Suspense><Gone /></Suspense> }] }]);
  render(<MantineProvider><RouterProvider router={router} /></MantineProvider>);
  expect(await screen.findByRole("button", { name: en.broken.again })).toBeDefined();
});
