import { ActionIcon, Badge, Menu, Table, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useTranslation } from "react-i18next";

import { type Account, accessApi } from "../../api/access";
import { useAct } from "../../api/accessHooks";
import { useSession } from "../../app/session";
import { useMoment } from "../../components/access";
import { RoleBadges } from "../../components/RoleBadges";
import { useAccountProblem } from "./problem";

interface Props {
  account: Account;
  names: Map<string, string>;
  onEdit: () => void;
  onDisable: () => void;
  onLink: () => void;
  onResetFactor: () => void;
}

export function AccountRow({ account, names, onEdit, onDisable, onLink, onResetFactor }: Props) {
  const { t } = useTranslation();
  const moment = useMoment();
  const problem = useAccountProblem();
  const own = useSession().account.id === account.id;
  const enable = useAct("accounts", () => accessApi.changeAccount(account.id, { disabled: false }));
  return (
    <Table.Tr>
      <Table.Td>
        <Text fw={600}>
          {account.name || account.login}{" "}
          {own && (
            <Text span size="xs" c="dimmed">
              {t("accounts.you")}
            </Text>
          )}
        </Text>
        <Text size="xs" c="dimmed">
          {account.login}
        </Text>
      </Table.Td>
      <Table.Td>
        {(account.roles.length > 0 || account.claimed_roles.length === 0) && <RoleBadges value={account.roles} names={names} />}
        {account.claimed_roles.length > 0 && (
          <>
            <Text size="xs" c="dimmed" mt={account.roles.length > 0 ? 6 : 0}>
              {t("accounts.claimedRoles")}
            </Text>
            <RoleBadges value={account.claimed_roles} names={names} />
          </>
        )}
      </Table.Td>
      <Table.Td>
        <State account={account} />
        {account.second_factor && (
          <Text size="xs" c="dimmed">
            {t("accounts.hasFactor")}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <Text size="sm">{account.last_sign_in ? moment(account.last_sign_in) : "–"}</Text>
      </Table.Td>
      <Table.Td ta="right">
        <Menu position="bottom-end" withinPortal>
          <Menu.Target>
            <ActionIcon variant="default" aria-label={t("accounts.acts", { name: account.name || account.login })}>
              ⋯
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={onEdit}>{t("accounts.edit")}</Menu.Item>
            {!account.disabled && <Menu.Item onClick={onLink}>{t("accounts.newLink")}</Menu.Item>}
            {account.second_factor && !own && <Menu.Item onClick={onResetFactor}>{t("accounts.resetFactor")}</Menu.Item>}
            {account.disabled && (
              <Menu.Item
                onClick={() =>
                  enable.mutate(undefined, {
                    onError: (error) => notifications.show({ color: "red", message: problem(error) }),
                  })
                }
              >
                {t("accounts.enable")}
              </Menu.Item>
            )}
            {!account.disabled && !own && (
              <Menu.Item onClick={onDisable}>{t("accounts.disable")}</Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      </Table.Td>
    </Table.Tr>
  );
}

/** Whether the account can sign in. */
function State({ account }: { account: Account }) {
  const { t } = useTranslation();
  const moment = useMoment();
  if (account.disabled) {
    return (
      <Badge color="gray" variant="light">
        {t("accounts.disabled")}
      </Badge>
    );
  }
  if (account.locked_until && Date.parse(account.locked_until) > Date.now()) {
    return (
      <>
        <Badge color="orange" variant="light">
          {t("accounts.locked")}
        </Badge>
        <Text size="xs" c="dimmed">
          {t("accounts.lockedUntil", { at: moment(account.locked_until) })}
        </Text>
      </>
    );
  }
  return (
    <Badge color={account.last_sign_in ? "hilum" : "yellow"} variant="light">
      {t(account.last_sign_in ? "accounts.active" : "accounts.invited")}
    </Badge>
  );
}
