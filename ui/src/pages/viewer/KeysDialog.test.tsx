import { MantineProvider } from "@mantine/core";
import { fireEvent, render, screen } from "@testing-library/react";
import { useState } from "react";
import { it } from "vitest";

import { furnish, inEnglish } from "../../testing/browser";
import { standard } from "../../viewer/hotkeys";
import { KeysDialog } from "./KeysDialog";

inEnglish();

function Keys() {
  const [hotkeys, setHotkeys] = useState(standard);
  return <KeysDialog opened hotkeys={hotkeys} onChange={setHotkeys} onClose={() => undefined} />;
}

it("takes another key, exchanges one that is taken, refuses one that the browser needs, and goes back to those that were", () => {
  furnish();
  render(
    <MantineProvider env="test">
      <Keys />
    </MantineProvider>,
  );
  const press = (name: string, key: string) => {
    const button = screen.getByRole("button", { name });
    fireEvent.click(button);
    fireEvent.keyDown(button, { key });
  };
  press("Reset: R, change", "q");
  press("Masks and boxes: V, change", "q");
  screen.getByRole("button", { name: "Masks and boxes: Q, change" });
  screen.getByRole("button", { name: "Reset: V, change" });
  press("Pan: M, change", "Enter");
  screen.getByRole("alert");
  fireEvent.click(screen.getByRole("button", { name: "As they were" }));
  screen.getByRole("button", { name: "Reset: R, change" });
});
