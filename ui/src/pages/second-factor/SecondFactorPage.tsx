import { Badge, Button, Group, Paper, Stack, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { loadSession, useSession } from "../../app/session";
import { Dialog } from "../../components/Dialog";
import { PageHead } from "../../components/PageHead";
import { RecoveryCodes } from "../../components/RecoveryCodes";
import { CodeForm } from "./CodeForm";
import { EnrolForm } from "./EnrolForm";
import { secondFactorApi } from "../../api/access";

type Dialog = { kind: "enrol" } | { kind: "renew" } | { kind: "remove" } | { kind: "codes"; codes: string[] };

/** The second factor of the account that is signed in. */
export function SecondFactorPage() {
  const { t } = useTranslation();
  const { account, second_factor: factor } = useSession();
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const close = () => {
    setDialog(null);
    void loadSession();
  };
  const showCodes = (codes: string[]) => setDialog({ kind: "codes", codes });
  return (
    <>
      <PageHead title={t("secondFactor.title")} text={t("secondFactor.text")} />
      <Paper withBorder p="lg" maw={720}>
        <Stack>
          <Group>
            <Badge color={factor.enrolled ? "hilum" : "gray"} variant="light">
              {t(factor.enrolled ? "secondFactor.on" : "secondFactor.off")}
            </Badge>
            {factor.required && <Text size="sm">{t("secondFactor.required")}</Text>}
          </Group>
          {factor.enrolled ? (
            <>
              <Text size="sm">{t("secondFactor.left", { count: factor.recovery_codes_left })}</Text>
              <Group>
                <Button variant="default" onClick={() => setDialog({ kind: "renew" })}>
                  {t("secondFactor.renew")}
                </Button>
                {!factor.required && (
                  <Button variant="default" color="red" onClick={() => setDialog({ kind: "remove" })}>
                    {t("secondFactor.remove")}
                  </Button>
                )}
              </Group>
            </>
          ) : (
            <>
              <Text size="sm">{t("secondFactor.none")}</Text>
              <Group>
                <Button onClick={() => setDialog({ kind: "enrol" })}>{t("secondFactor.add")}</Button>
              </Group>
            </>
          )}
        </Stack>
      </Paper>
      <Dialog opened={dialog !== null} onClose={close} size="md" title={dialog && t(`secondFactor.dialog.${dialog.kind}`)}>
        {dialog?.kind === "enrol" && <EnrolForm login={account.login} onCodes={showCodes} onDone={close} />}
        {dialog?.kind === "renew" && (
          <CodeForm
            text={t("secondFactor.renewHelp")}
            submit={t("secondFactor.renew")}
            act={async (code) => showCodes((await secondFactorApi.renew(code)).recovery_codes)}
            onDone={close}
          />
        )}
        {dialog?.kind === "remove" && (
          <CodeForm
            text={t("secondFactor.removeHelp")}
            submit={t("secondFactor.remove")}
            act={async (code) => {
              await secondFactorApi.remove(code);
              close();
            }}
            onDone={close}
          />
        )}
        {dialog?.kind === "codes" && <RecoveryCodes codes={dialog.codes} onDone={close} />}
      </Dialog>
    </>
  );
}
