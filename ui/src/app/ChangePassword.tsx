import { Button, Group, Stack } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { sessionApi } from "../api/access";
import { ApiError } from "../api/http";
import { useProblem } from "../components/access";
import { CurrentPassword } from "../components/CurrentPassword";
import { Dialog } from "../components/Dialog";
import { isGood } from "../components/password";
import { PasswordFields } from "../components/PasswordFields";
import { Refusal } from "../components/Refusal";
import { beginSession } from "./session";

interface Props {
  opened: boolean;
  onClose: () => void;
  login: string;
}

export function ChangePassword({ opened, onClose, login }: Props) {
  const { t } = useTranslation();
  return (
    <Dialog opened={opened} onClose={onClose} title={t("account.changePassword")}>
      <PasswordForm login={login} onDone={onClose} />
    </Dialog>
  );
}

function PasswordForm({ login, onDone }: { login: string; onDone: () => void }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState({ password: "", repeated: "" });
  const [failure, setFailure] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const code = failure instanceof ApiError ? failure.code : null;
  const elsewhere = failure !== null && code !== "weak_password" && code !== "wrong_credentials";

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      // Every session of the account has ended, and this one has begun.
      beginSession(await sessionApi.changePassword(old, fresh.password));
      notifications.show({ message: t("account.passwordChanged") });
      onDone();
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Refusal text={elsewhere ? problem(failure) : null} />
      <Stack gap="md">
        <CurrentPassword
          login={login}
          label={t("account.oldPassword")}
          value={old}
          onChange={setOld}
          wrong={code === "wrong_credentials"}
        />
        <PasswordFields
          value={fresh}
          onChange={setFresh}
          login={login}
          error={code === "weak_password" ? problem(failure) : null}
        />
        <Group justify="end">
          <Button variant="default" onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button type="submit" loading={busy} disabled={old === "" || !isGood(fresh, login)}>
            {t("account.changePassword")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
