import { Center, List, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { NewAuthenticator } from "../api/access";
import { SecretShown } from "./SecretShown";

/** What an authenticator app is to be told: a picture for its camera, and the same as text. */
export function AuthenticatorSetup({ authenticator }: { authenticator: NewAuthenticator }) {
  const { t } = useTranslation();
  const { qr, secret } = authenticator;
  return (
    <Stack gap="sm">
      <List type="ordered" size="sm" spacing={4}>
        <List.Item>{t("secondFactor.setup.app")}</List.Item>
        <List.Item>{t("secondFactor.setup.scan")}</List.Item>
        <List.Item>{t("secondFactor.setup.enter")}</List.Item>
      </List>
      <Center>
        {/* Dark on light in either colour scheme: cameras look for that. */}
        <svg role="img" aria-label={t("secondFactor.qr")} width={208} height={208} viewBox={`0 0 ${qr.size} ${qr.size}`} shapeRendering="crispEdges">
          <rect width={qr.size} height={qr.size} fill="#fff" />
          <path d={qr.path} fill="#000" />
        </svg>
      </Center>
      <SecretShown label={t("secondFactor.key")} secret={secret} />
      <Text size="xs" c="dimmed">
        {t("secondFactor.keyHelp")}
      </Text>
    </Stack>
  );
}
