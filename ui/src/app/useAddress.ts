import { useCallback, useLayoutEffect, useRef } from "react";
import { useSearchParams } from "react-router";

/**
 * What the address asks for, and the act that changes it. Changes add up: one that comes before the address of the last one is there (its data
 * are still asked for) begins with what the last one wanted, and not with what the address says.
 */
export function useAddress() {
  const [address, setAddress] = useSearchParams();
  const wanted = useRef(address);
  // Before anybody can click: an effect that came after a click would take it back.
  useLayoutEffect(() => {
    wanted.current = address;
  }, [address]);
  const set = useRef(setAddress);
  set.current = setAddress;
  const change = useCallback((act: (before: URLSearchParams) => URLSearchParams) => {
    wanted.current = act(new URLSearchParams(wanted.current));
    set.current(wanted.current, { replace: true });
  }, []);
  return [address, change] as const;
}
