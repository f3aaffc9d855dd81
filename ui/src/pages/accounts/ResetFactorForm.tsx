import { Button, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { type Account, accessApi } from "../../api/access";
import { useAct } from "../../api/accessHooks";
import { ApiError } from "../../api/http";
import { Refusal } from "../../components/Refusal";
import { useAccountProblem } from "./problem";

/** Somebody else was faster. */
const isGone = (error: unknown) => error instanceof ApiError && error.code === "conflict";

/** Takes away the second factor of somebody who has lost it. */
export function ResetFactorForm({ account, onDone }: { account: Account; onDone: () => void }) {
  const { t } = useTranslation();
  const problem = useAccountProblem();
  const reset = useAct("accounts", () => accessApi.resetSecondFactor(account.id));
  return (
    <div>
      <Refusal text={reset.isError ? (isGone(reset.error) ? t("problem.not_found") : problem(reset.error)) : null} />
      <Stack>
        <Text size="sm">{t("accounts.resetFactorHelp", { name: account.name || account.login })}</Text>
        <Group justify="end">
          <Button variant="default" data-autofocus onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button color="red" loading={reset.isPending} onClick={() => reset.mutate(undefined, { onSuccess: onDone })}>
            {t("accounts.resetFactor")}
          </Button>
        </Group>
      </Stack>
    </div>
  );
}
