import { Text } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Navigate, useLocation } from "react-router";

import { beginSession, loadSession, useSessionState } from "../../app/session";
import { FrontDoor } from "../../app/FrontDoor";
import { Refusal } from "../../components/Refusal";
import { ProviderButtons } from "./ProviderButtons";
import { SignInForm } from "./SignInForm";
import { useComeBack } from "./useComeBack";

/** The page that was asked for, as the history of this page remembers it. */
function wayBack(state: unknown): string {
  const from = typeof state === "object" && state !== null && "from" in state ? state.from : null;
  return typeof from === "string" && from.startsWith("/") ? from : "/";
}

export function SignInPage() {
  const { t } = useTranslation();
  useDocumentTitle(`${t("signIn.title")} · Hilum`);
  const { state, hash } = useLocation();
  const { refusal } = useComeBack();
  const session = useSessionState();
  const signsIn = useRef(false);
  useEffect(() => {
    if (session.kind === "unknown") void loadSession();
    if (session.kind === "out") signsIn.current = true;
  }, [session.kind]);
  if (session.kind === "in") {
    // Who was signed in all the time was about to link a provider.
    const linking = refusal !== null && !signsIn.current;
    return <Navigate to={linking ? `/settings/sign-in${hash}` : wayBack(state)} replace />;
  }
  return (
    <FrontDoor title={t("signIn.title")}>
      <Refusal text={refusal} />
      <SignInForm onSignedIn={beginSession} />
      <ProviderButtons returns={wayBack(state)} />
      <Text size="xs" c="dimmed" mt="lg">
        {t("signIn.help")}
      </Text>
      <Text size="xs" c="dimmed" mt={6}>
        {t("signIn.firstStart")}
      </Text>
    </FrontDoor>
  );
}
