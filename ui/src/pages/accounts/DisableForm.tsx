import { Button, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { type Account, accessApi } from "../../api/access";
import { useAct } from "../../api/accessHooks";
import { Refusal } from "../../components/Refusal";
import { useAccountProblem } from "./problem";

export function DisableForm({ account, onDone }: { account: Account; onDone: () => void }) {
  const { t } = useTranslation();
  const problem = useAccountProblem();
  const disable = useAct("accounts", () => accessApi.changeAccount(account.id, { disabled: true }));
  return (
    <div>
      <Refusal text={disable.isError ? problem(disable.error) : null} />
      <Stack>
        <Text size="sm">{t("accounts.disableHelp", { name: account.name || account.login })}</Text>
        <Group justify="end">
          <Button variant="default" data-autofocus onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button color="red" loading={disable.isPending} onClick={() => disable.mutate(undefined, { onSuccess: onDone })}>
            {t("accounts.disable")}
          </Button>
        </Group>
      </Stack>
    </div>
  );
}
