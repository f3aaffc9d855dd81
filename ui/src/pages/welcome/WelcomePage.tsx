import { Alert, Anchor, Button, Center, Loader, Stack, Text, TextInput } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { type FormEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation, useNavigate } from "react-router";

import { type LinkView, loginPattern, sessionApi } from "../../api/access";
import { ApiError } from "../../api/http";
import { FrontDoor } from "../../app/FrontDoor";
import { beginSession } from "../../app/session";
import { useProblem } from "../../components/access";
import { LoginField } from "../../components/LoginField";
import { isGood } from "../../components/password";
import { PasswordFields } from "../../components/PasswordFields";
import { Refusal } from "../../components/Refusal";

/**
 * The secret of a one-time link, out of the address. It is taken off the address bar at once and kept in memory only: neither the
 * history nor a bookmark opens the link again.
 */
function useLinkSecret(): string {
  const { hash } = useLocation();
  const navigate = useNavigate();
  const [secret, setSecret] = useState(() => hash.slice(1));
  useEffect(() => {
    if (hash.length <= 1) return;
    setSecret(hash.slice(1));
    void navigate("/welcome", { replace: true });
  }, [hash, navigate]);
  return secret;
}

export function WelcomePage() {
  const { t } = useTranslation();
  const problem = useProblem();
  const secret = useLinkSecret();
  const [link, setLink] = useState<LinkView | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  useDocumentTitle(`${t("welcome.title")} · Hilum`);
  useEffect(() => {
    if (secret === "") return undefined;
    let current = true;
    setLink(null);
    setFailure(null);
    sessionApi.checkLink(secret).then(
      (found) => current && setLink(found),
      (error: unknown) => current && setFailure(error),
    );
    return () => {
      current = false;
    };
  }, [secret]);
  if (secret === "" || failure !== null) {
    const gone = secret === "" || (failure instanceof ApiError && failure.code === "link_unknown");
    return (
      <FrontDoor title={t(gone ? "welcome.gone" : "welcome.title")}>
        <Stack>
          <Alert color={gone ? "yellow" : "red"} variant="light" role="alert">
            {secret === "" ? t("welcome.noLink") : gone ? t("welcome.goneHelp") : problem(failure)}
          </Alert>
          <Anchor component={Link} to="/sign-in" size="sm">
            {t("welcome.toSignIn")}
          </Anchor>
        </Stack>
      </FrontDoor>
    );
  }
  if (!link) {
    return (
      <FrontDoor title={t("welcome.title")}>
        <Center py="md">
          <Loader aria-label={t("welcome.checking")} />
        </Center>
      </FrontDoor>
    );
  }
  return (
    <FrontDoor title={t(`welcome.purpose.${link.purpose}`)}>
      <LinkForm key={secret} secret={secret} link={link} onGone={setFailure} />
    </FrontDoor>
  );
}

/** What the link still needs to know; using it signs in. */
function LinkForm({ secret, link, onGone }: { secret: string; link: LinkView; onGone: (error: ApiError) => void }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const navigate = useNavigate();
  const first = link.purpose === "first_administrator";
  const [login, setLogin] = useState(link.login ?? "");
  const [name, setName] = useState(link.name ?? "");
  const [fresh, setFresh] = useState({ password: "", repeated: "" });
  const [failure, setFailure] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const weak = failure instanceof ApiError && failure.code === "weak_password";
  const ready = isGood(fresh, login) && (!first || loginPattern.test(login.trim())) && (!first || name.trim() !== "");

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (!ready) return;
    setBusy(true);
    setFailure(null);
    try {
      const own = first ? { login: login.trim(), name: name.trim() } : {};
      const session = await sessionApi.useLink({ link: secret, ...own, password: fresh.password });
      // Without a session: the password is set, and signing in takes a second factor besides.
      if (session) beginSession(session);
      await navigate(session ? (first ? "/setup" : "/") : "/sign-in", { replace: true });
    } catch (error) {
      if (error instanceof ApiError && error.code === "link_unknown") onGone(error);
      else setFailure(error);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Text size="sm" c="dimmed" mb="md">
        {t(`welcome.help.${link.purpose}`, { name: link.name || link.login })}
      </Text>
      <Refusal text={failure !== null && !weak ? problem(failure) : null} />
      <Stack gap="md">
        <LoginField
          fixed={!first}
          description={first ? t("accounts.loginHelp") : undefined}
          error={first && login !== "" && !loginPattern.test(login.trim()) && t("accounts.loginWrong")}
          value={login}
          onChange={setLogin}
        />
        {first && (
          <TextInput
            label={t("accounts.name")}
            name="name"
            autoComplete="name"
            description={t("welcome.nameHelp")}
            required
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
        )}
        <PasswordFields
          value={fresh}
          onChange={setFresh}
          login={login}
          error={weak ? problem(failure) : null}
          autoFocus={!first}
        />
        <Button type="submit" fullWidth loading={busy} disabled={!ready}>
          {t(`welcome.submit.${link.purpose}`)}
        </Button>
      </Stack>
    </form>
  );
}
