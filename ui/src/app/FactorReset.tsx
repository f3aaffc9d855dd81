import { Alert, Anchor, Button, Group, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { secondFactorApi } from "../api/access";
import { useMoment } from "../components/access";
import { loadSession, useSession } from "./session";

/** Tells the account that somebody took its second factor away, until it says that it knows. */
export function FactorReset() {
  const { t } = useTranslation();
  const moment = useMoment();
  const at = useSession().second_factor.reset_at;
  const [busy, setBusy] = useState(false);
  if (at === null) return null;

  function know() {
    setBusy(true);
    secondFactorApi.sawReset().then(loadSession, () => setBusy(false));
  }

  return (
    <Alert color="orange" mb="md" title={t("secondFactor.reset.title")} role="alert">
      <Text size="sm">{t("secondFactor.reset.text", { at: moment(at) })}</Text>
      <Group mt="sm">
        <Anchor component={Link} to="/settings/second-factor" size="sm">
          {t("secondFactor.add")}
        </Anchor>
        <Button size="xs" variant="default" loading={busy} onClick={know}>
          {t("secondFactor.reset.know")}
        </Button>
      </Group>
    </Alert>
  );
}
