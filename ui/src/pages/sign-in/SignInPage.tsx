import { Text } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, useLocation } from "react-router";

import { beginSession, loadSession, useSessionState } from "../../app/session";
import { FrontDoor } from "../../app/FrontDoor";
import { SignInForm } from "./SignInForm";

/** The page that was asked for, as the history of this page remembers it. */
function wayBack(state: unknown): string {
  const from = typeof state === "object" && state !== null && "from" in state ? state.from : null;
  return typeof from === "string" && from.startsWith("/") ? from : "/";
}

export function SignInPage() {
  const { t } = useTranslation();
  useDocumentTitle(`${t("signIn.title")} · Hilum`);
  const { state } = useLocation();
  const session = useSessionState();
  useEffect(() => {
    if (session.kind === "unknown") void loadSession();
  }, [session.kind]);
  if (session.kind === "in") return <Navigate to={wayBack(state)} replace />;
  return (
    <FrontDoor title={t("signIn.title")}>
      <SignInForm onSignedIn={beginSession} />
      <Text size="xs" c="dimmed" mt="lg">
        {t("signIn.help")}
      </Text>
      <Text size="xs" c="dimmed" mt={6}>
        {t("signIn.firstStart")}
      </Text>
    </FrontDoor>
  );
}
