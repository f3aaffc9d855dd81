import { Button, PasswordInput, Stack, Text } from "@mantine/core";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { type NewAuthenticator, type Session, sessionApi } from "../../api/access";
import { ApiError } from "../../api/http";
import { AuthenticatorSetup } from "../../components/AuthenticatorSetup";
import { useProblem } from "../../components/access";
import { CodeField } from "../../components/CodeField";
import { LoginField } from "../../components/LoginField";
import { RecoveryCodes } from "../../components/RecoveryCodes";
import { Refusal } from "../../components/Refusal";

/** What is asked for. There is no session before all of it was shown: the password goes with the code once more. */
type Step = { kind: "password" } | { kind: "code" } | { kind: "enrol"; authenticator: NewAuthenticator };

/** Login and password, and the second factor where there is one. `login`: the only account that may sign in here. */
export function SignInForm({ login: fixed, onSignedIn }: { login?: string; onSignedIn: (session: Session) => void }) {
  const { t, i18n } = useTranslation();
  const problem = useProblem();
  const [login, setLogin] = useState(fixed ?? "");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [step, setStep] = useState<Step>({ kind: "password" });
  const [enrolled, setEnrolled] = useState<Session | null>(null);
  const [failure, setFailure] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const [until, setUntil] = useState(0);
  const wait = useSecondsUntil(until);
  const secret = useRef<HTMLInputElement>(null);
  const codeInput = useRef<HTMLInputElement>(null);

  function startOver() {
    setStep({ kind: "password" });
    setPassword("");
    setCode("");
  }

  async function refused(error: Error) {
    const kind = error instanceof ApiError ? error.code : null;
    if (kind === "second_factor_needed") return setStep({ kind: "code" });
    if (kind === "second_factor_missing") {
      const authenticator = await sessionApi.beginSecondFactor(login.trim(), password);
      return setStep({ kind: "enrol", authenticator });
    }
    throw error;
  }

  async function submit(event: FormEvent) {
    event.preventDefault();
    if (busy || wait > 0) return;
    setBusy(true);
    setFailure(null);
    try {
      const session = await sessionApi.signIn(login.trim(), password, step.kind === "password" ? undefined : code);
      if (session.recovery_codes) setEnrolled(session);
      else onSignedIn(session);
    } catch (error) {
      await refused(error as Error).catch((real: unknown) => {
        setFailure(real as Error);
        if (real instanceof ApiError && real.retryAfter !== null) setUntil(Date.now() + 1_000 * real.retryAfter);
        setCode("");
        codeInput.current?.focus();
        if (step.kind !== "password" && real instanceof ApiError && real.code !== "wrong_credentials") return;
        startOver();
        secret.current?.focus();
      });
    } finally {
      setBusy(false);
    }
  }

  if (enrolled?.recovery_codes) {
    return <RecoveryCodes codes={enrolled.recovery_codes} onDone={() => onSignedIn(enrolled)} />;
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
        {step.kind === "password" ? (
          <>
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
          </>
        ) : (
          <>
            {step.kind === "enrol" && (
              <>
                <Text size="sm">{t("secondFactor.requiredHelp")}</Text>
                <AuthenticatorSetup authenticator={step.authenticator} />
              </>
            )}
            <CodeField ref={codeInput} value={code} onChange={setCode} recovery={step.kind === "code"} />
          </>
        )}
        <Button type="submit" fullWidth loading={busy} disabled={wait > 0 || (step.kind !== "password" && code.trim() === "")}>
          {wait > 0 ? t("signIn.wait", { seconds: wait }) : t("signIn.submit")}
        </Button>
        {step.kind !== "password" && (
          <Button variant="subtle" color="gray" onClick={startOver}>
            {t("signIn.back")}
          </Button>
        )}
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
