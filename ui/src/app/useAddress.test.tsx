import { act, cleanup, render, screen } from "@testing-library/react";
import { useLayoutEffect } from "react";
import { createMemoryRouter, RouterProvider } from "react-router";
import { afterEach, expect, it } from "vitest";

import { useAddress } from "./useAddress";

afterEach(cleanup);

const set = (key: string) => (before: URLSearchParams) => {
  before.set(key, "1");
  return before;
};

/** A page whose data take a while, as over a network. */
function open(Page: () => React.JSX.Element) {
  const loader = () => new Promise((done) => setTimeout(() => done(null), 30));
  const router = createMemoryRouter([{ path: "/", loader, element: <Page />, HydrateFallback: () => null }]);
  render(<RouterProvider router={router} />);
  return router;
}

it("keeps a change whose address is not there yet when the next one comes", async () => {
  const router = open(() => {
    const [address, change] = useAddress();
    return (
      <>
        <button type="button" onClick={() => change(set("filter"))}>filter</button>
        <button type="button" onClick={() => change(set("sort"))}>sort</button>
        <output>{address.toString()}</output>
      </>
    );
  });
  const filter = await screen.findByRole("button", { name: "filter" });
  act(() => filter.click());
  act(() => screen.getByRole("button", { name: "sort" }).click());
  await screen.findByText("filter=1&sort=1");
  expect(router.state.location.search).toBe("?filter=1&sort=1");
});

it("keeps a change that comes as soon as the page is there", async () => {
  const router = open(() => {
    const [address, change] = useAddress();
    // Before React runs what it puts off until something was drawn.
    useLayoutEffect(() => change(set("filter")), [change]);
    return (
      <>
        <button type="button" onClick={() => change(set("sort"))}>sort</button>
        <output>{address.toString()}</output>
      </>
    );
  });
  const sort = await screen.findByRole("button", { name: "sort" });
  act(() => sort.click());
  await screen.findByText("filter=1&sort=1");
  expect(router.state.location.search).toBe("?filter=1&sort=1");
});
