import { Button, Menu, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { notifications } from "@mantine/notifications";
import { Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { useProviders } from "../api/accessHooks";
import { inOrder } from "../components/access";
import { hasUnsaved } from "../components/unsaved";
import { whenOpened } from "../i18n";
import { endSession, may, useSession } from "./session";

const ChangePassword = whenOpened(() => import("./ChangePassword").then((one) => ({ default: one.ChangePassword })));

const LeaveDialog = whenOpened(() => import("../components/LeaveDialog").then((one) => ({ default: one.LeaveDialog })));

/** Who is signed in, what they are to which institution, and what is theirs to do beside reading. */
export function AccountMenu() {
  const { t } = useTranslation();
  const session = useSession();
  const [changing, { open, close }] = useDisclosure(false);
  const [asks, setAsks] = useState(false);
  const providers = useProviders();
  const { account, institutions } = session;
  const manages = may(session, "manage");
  const audits = may(session, "audit");
  const sees = may(session, "quality");

  function signOut() {
    endSession().catch(() =>
      notifications.show({ color: "red", autoClose: false, title: t("session.notEnded"), message: t("session.notEndedHelp") }),
    );
  }

  return (
    <>
      <Menu position="bottom-end" width={280} withinPortal>
        <Menu.Target>
          <Button variant="default" size="xs" h={30} maw={180} aria-label={t("account.menu", { name: account.name })} rightSection="▾">
            <Text span size="sm" truncate>
              {account.name || account.login}
            </Text>
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Stack gap={8} px="sm" py={8}>
            <div>
              <Text fw={600} size="sm">
                {account.name}
              </Text>
              <Text size="xs" c="dimmed">
                {account.login}
              </Text>
            </div>
            {institutions.length === 0 && (
              <Text size="xs" c="dimmed">
                {t("account.noRoles")}
              </Text>
            )}
            {institutions.map((institution) => (
              <div key={institution.code}>
                <Text size="xs" fw={500}>
                  {institution.name || institution.code}
                </Text>
                <Text size="xs" c="dimmed">
                  {inOrder(institution.roles).map((role) => t(`role.${role}`)).join(", ")}
                </Text>
              </div>
            ))}
          </Stack>
          <Menu.Divider />
          <Menu.Item onClick={open}>{t("account.changePassword")}</Menu.Item>
          <Menu.Item component={Link} to="/settings/second-factor">
            {t("secondFactor.title")}
          </Menu.Item>
          {(providers.data ?? []).length > 0 && (
            <Menu.Item component={Link} to="/settings/sign-in">
              {t("identities.title")}
            </Menu.Item>
          )}
          <Menu.Item component={Link} to="/settings/tokens">
            {t("tokens.title")}
          </Menu.Item>
          {(manages || audits || sees) && <Menu.Divider />}
          {sees && (
            <Menu.Item component={Link} to="/quality">
              {t("quality.title")}
            </Menu.Item>
          )}
          {manages && (
            <>
              <Menu.Item component={Link} to="/admin/accounts">
                {t("accounts.title")}
              </Menu.Item>
              <Menu.Item component={Link} to="/admin/institutions">
                {t("institutions.title")}
              </Menu.Item>
            </>
          )}
          {audits && (
            <Menu.Item component={Link} to="/admin/audit">
              {t("audit.title")}
            </Menu.Item>
          )}
          <Menu.Divider />
          <Menu.Item onClick={() => (hasUnsaved() ? setAsks(true) : signOut())}>{t("account.signOut")}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {asks && (
        <Suspense>
          <LeaveDialog opened onStay={() => setAsks(false)} onGo={signOut} />
        </Suspense>
      )}
      {changing && (
        <Suspense>
          <ChangePassword opened={changing} onClose={close} login={account.login} />
        </Suspense>
      )}
    </>
  );
}
