import { useEffect } from "react";
import { type Location, useBlocker } from "react-router";

import { LeaveDialog } from "../../../components/LeaveDialog";
import { holdUnsaved } from "../../../components/unsaved";

/** Another page, or another version of the report. The rest of an address follows what is looked at. */
function leaves(from: Location, to: Location): boolean {
  const version = ({ search }: Location) => new URLSearchParams(search).get("version");
  return from.pathname !== to.pathname || version(from) !== version(to);
}

/** Asks before something that is written and not kept is left, by a link, by the browser's back, by closing and reloading, or by signing out. */
export function LeaveGuard({ when }: { when: boolean }) {
  const blocker = useBlocker(({ currentLocation, nextLocation }) => when && leaves(currentLocation, nextLocation));
  useEffect(() => {
    if (!when) return undefined;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    const release = holdUnsaved();
    window.addEventListener("beforeunload", ask);
    return () => {
      release();
      window.removeEventListener("beforeunload", ask);
    };
  }, [when]);
  const { state, reset } = blocker;
  // It was kept meanwhile: there is nothing to ask any more.
  useEffect(() => {
    if (state === "blocked" && !when) reset();
  }, [state, when, reset]);
  return <LeaveDialog opened={state === "blocked"} onStay={() => reset?.()} onGo={() => blocker.proceed?.()} />;
}
