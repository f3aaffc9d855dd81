import { act, render, screen } from "@testing-library/react";
import { createMemoryRouter, RouterProvider } from "react-router";
import { expect, it } from "vitest";

import { useAddress } from "./useAddress";

it("keeps a change whose address is not there yet when the next one comes", async () => {
  const set = (key: string) => (before: URLSearchParams) => {
    before.set(key, "1");
    return before;
  };
  const Page = () => {
    const [address, change] = useAddress();
    return (
      <>
        <button type="button" onClick={() => change(set("filter"))}>filter</button>
        <button type="button" onClick={() => change(set("sort"))}>sort</button>
        <output>{address.toString()}</output>
      </>
    );
  };
  // The data of a page take a while, as over a network.
  const loader = () => new Promise((done) => setTimeout(() => done(null), 30));
  const router = createMemoryRouter([{ path: "/", loader, element: <Page />, HydrateFallback: () => null }]);
  render(<RouterProvider router={router} />);
  const filter = await screen.findByRole("button", { name: "filter" });
  act(() => filter.click());
  act(() => screen.getByRole("button", { name: "sort" }).click());
  await screen.findByText("filter=1&sort=1");
  expect(router.state.location.search).toBe("?filter=1&sort=1");
});
