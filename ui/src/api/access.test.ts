import { describe, expect, it } from "vitest";

import source from "../../../crates/hilum-engine/src/access.rs?raw";
import { linkAddress, permissionsOf, roles, rolesThatMay } from "./access";

const snake = (word: string) => word.replace(/(?!^)([A-Z])/g, "_$1").toLowerCase();

describe("roles", () => {
  it("allow here what they allow in crates/hilum-engine/src/access.rs", () => {
    const table = [...source.matchAll(/Self::(\w+) => (?:\{\s+)?(?:\[([\w, ]+)\]\.into_iter\(\)\.collect\(\)|Permissions::default\(\))(?:,|\s+\})/g)];
    const there = Object.fromEntries(
      table.map(([, role = "", permissions]) => [snake(role), permissions?.split(", ").map(snake) ?? []]),
    );
    expect(Object.keys(there)).toEqual([...roles]);
    expect(there).toEqual(permissionsOf);
  });

  it("are named to those who lack one", () => {
    expect(rolesThatMay("predict")).toEqual(["radiologist"]);
    expect(rolesThatMay("operate")).toEqual(["data_steward", "administrator"]);
  });
});

describe("the address of a one-time link", () => {
  it("holds the secret in its fragment, which no browser sends", () => {
    const address = new URL(linkAddress("secret_1-2"));
    expect([address.pathname, address.search, address.hash]).toEqual(["/welcome", "", "#secret_1-2"]);
  });
});
