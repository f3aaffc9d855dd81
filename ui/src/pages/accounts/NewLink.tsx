import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { type Account, accessApi, linkAddress } from "../../api/access";
import { useAct } from "../../api/accessHooks";
import { Refusal } from "../../components/Refusal";
import { SecretShown } from "../../components/SecretShown";
import { useAccountProblem } from "./problem";

/** A one-time link, and whom it is for. */
export interface LinkFor {
  secret: string;
  name: string;
  purpose: "invitation" | "reset";
}

interface Props {
  account: Account;
  onLink: (link: LinkFor) => void;
  onDone: () => void;
}

/** Makes a link with which somebody chooses a new password. */
export function NewLinkForm({ account, onLink, onDone }: Props) {
  const { t } = useTranslation();
  const problem = useAccountProblem();
  const make = useAct("accounts", () => accessApi.newLink(account.id));
  const name = account.name || account.login;
  return (
    <div>
      <Refusal text={make.isError ? problem(make.error) : null} />
      <Stack>
        <Text size="sm">{t("accounts.newLinkHelp", { name })}</Text>
        <Group justify="end">
          <Button variant="default" onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button
            data-autofocus
            loading={make.isPending}
            onClick={() => make.mutate(undefined, { onSuccess: ({ link }) => onLink({ secret: link, name, purpose: "reset" }) })}
          >
            {t("accounts.newLink")}
          </Button>
        </Group>
      </Stack>
    </div>
  );
}

/** The link, this once. */
export function LinkShown({ link, onDone }: { link: LinkFor; onDone: () => void }) {
  const { t } = useTranslation();
  return (
    <Stack>
      <Text size="sm">{t(`accounts.linkFor.${link.purpose}`, { name: link.name })}</Text>
      <SecretShown label={t("accounts.link")} secret={linkAddress(link.secret)} />
      <Alert color="yellow" variant="light">
        {t("accounts.linkHelp")}
      </Alert>
      <Group justify="end">
        <Button onClick={onDone}>{t("form.done")}</Button>
      </Group>
    </Stack>
  );
}
