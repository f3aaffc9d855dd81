import { Button, PasswordInput, Stack } from "@mantine/core";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Session, sessionApi } from "../../api/access";
import { ApiError } from "../../api/http";
import { useProblem } from "../../components/access";
import { LoginField } from "../../components/LoginField";
import { Refusal } from "../../components/Refusal";

/** Login and password. `login`: the only account that may sign in here. */
export function SignInForm({ login: fixed, onSignedIn }: { login?: string; onSignedIn: (session: Session) => void }) {
  const { t, i18n } = useTranslation();
  const problem = useProblem();
  const [login, setLogin] = useState(fixed ?? "");
  const [password, setPassword] = useState("");
  const [failure, setFailure] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const [until, setUntil] = useState(0);
  const wait = useSecondsUntil(until);
  const secret = useRef<HTMLInputElement>(null);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      onSignedIn(await sessionApi.signIn(login.trim(), password));
    } catch (error) {
      setFailure(error as Error);
      if (error instanceof ApiError && error.retryAfter !== null) setUntil(Date.now() + 1_000 * error.retryAfter);
      setPassword("");
      secret.current?.focus();
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Refusal
        text={
          failure instanceof ApiError && failure.code === "too_many_attempts" && until > 0
            ? t("signIn.tooMany", { at: new Date(until).toLocaleTimeString(i18n.language) })
            : failure && problem(failure)
        }
      />
      <Stack gap="md">
        <LoginField fixed={fixed !== undefined} value={login} onChange={setLogin} />
        <PasswordInput
          ref={secret}
          label={t("signIn.password")}
          name="password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          data-autofocus={fixed !== undefined || undefined}
          visibilityToggleButtonProps={{ "aria-label": t("password.toggle"), tabIndex: 0 }}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Button type="submit" fullWidth loading={busy} disabled={wait > 0}>
          {wait > 0 ? t("signIn.wait", { seconds: wait }) : t("signIn.submit")}
        </Button>
      </Stack>
    </form>
  );
}

/** Whole seconds until a moment (ms since 1970), counted down. */
function useSecondsUntil(until: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const tick = () => {
      setNow(Date.now());
      if (Date.now() >= until) clearInterval(timer);
    };
    const timer = setInterval(tick, 500);
    tick();
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, Math.ceil((until - now) / 1_000));
}
