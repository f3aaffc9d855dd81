let held = 0;

/** Something that is written and not kept is on the page, until the act that is returned. */
export function holdUnsaved(): () => void {
  held += 1;
  return () => (held -= 1);
}

/** Whether leaving this page, in whatever way, would discard something. */
export const hasUnsaved = () => held > 0;
