import { Button, Group, Stack, Text } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { type NewAuthenticator, secondFactorApi } from "../../api/access";
import { ApiError } from "../../api/http";
import { AuthenticatorSetup } from "../../components/AuthenticatorSetup";
import { useProblem } from "../../components/access";
import { CurrentPassword } from "../../components/CurrentPassword";
import { Refusal } from "../../components/Refusal";
import { CodeForm } from "./CodeForm";

interface Props {
  login: string;
  onCodes: (codes: string[]) => void;
  onDone: () => void;
}

/** Adds an authenticator: the password, then a code that shows that it knows the secret. */
export function EnrolForm({ login, onCodes, onDone }: Props) {
  const { t } = useTranslation();
  const problem = useProblem();
  const [password, setPassword] = useState("");
  const [authenticator, setAuthenticator] = useState<NewAuthenticator | null>(null);
  const [failure, setFailure] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const wrong = failure instanceof ApiError && failure.code === "wrong_credentials";

  if (authenticator) {
    return (
      <CodeForm
        submit={t("secondFactor.confirm")}
        recovery={false}
        act={async (code) => onCodes((await secondFactorApi.confirm(code)).recovery_codes)}
        onDone={onDone}
      >
        <AuthenticatorSetup authenticator={authenticator} />
      </CodeForm>
    );
  }

  async function begin(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      setAuthenticator(await secondFactorApi.begin(password));
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={(event) => void begin(event)}>
      <Refusal text={failure !== null && !wrong ? problem(failure) : null} />
      <Stack>
        <Text size="sm">{t("secondFactor.passwordFirst")}</Text>
        <CurrentPassword
          login={login}
          label={t("signIn.password")}
          value={password}
          onChange={setPassword}
          wrong={wrong}
        />
        <Group justify="end">
          <Button variant="default" onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button type="submit" loading={busy} disabled={password === ""}>
            {t("secondFactor.next")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
