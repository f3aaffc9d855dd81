import { Alert, Center, Loader } from "@mantine/core";
import { useIdle } from "@mantine/hooks";
import { focusManager } from "@tanstack/react-query";
import { Suspense, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, Outlet, useLocation } from "react-router";

import { whenOpened } from "../i18n";
import { loadSession, useSessionState } from "./session";

const SessionEnded = whenOpened(() => import("./SessionEnded").then((one) => ({ default: one.SessionEnded })));

/** Without a hand on the machine for this long the page asks the server for nothing more, so that the session can end. */
const idleAfter = 10 * 60_000;

/** Pages below it have a session; everybody else goes to the sign-in, and comes back to the same page. */
export function SignedIn() {
  const { t } = useTranslation();
  const state = useSessionState();
  const { pathname } = useLocation();
  const idle = useIdle(idleAfter, { initialState: false });
  useEffect(() => {
    focusManager.setFocused(idle ? false : undefined);
    return () => focusManager.setFocused(undefined);
  }, [idle]);
  useEffect(() => {
    if (state.kind === "unknown") void loadSession();
    if (state.kind !== "unreachable") return undefined;
    const again = setInterval(() => void loadSession(), 3_000);
    return () => clearInterval(again);
  }, [state.kind]);
  switch (state.kind) {
    case "unknown":
      return (
        <Center mih="100vh">
          <Loader aria-label={t("session.loading")} />
        </Center>
      );
    case "unreachable":
      return (
        <Center mih="100vh" p="md">
          <Alert color="red" title={t("shell.unreachable")} maw={480} role="alert">
            {t("shell.unreachableHelp")}
          </Alert>
        </Center>
      );
    case "out":
      // The way back stays in the browser's memory of this page, and never in an address.
      return <Navigate to="/sign-in" replace {...(state.returns && { state: { from: pathname } })} />;
    case "in":
    case "ended":
      // Another account begins with fresh pages.
      return (
        <>
          <Outlet key={state.session.account.id} />
          {state.kind === "ended" && (
            <Suspense>
              <SessionEnded session={state.session} />
            </Suspense>
          )}
        </>
      );
  }
}
