import { Button, Group, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { Dialog } from "./Dialog";

interface Props {
  opened: boolean;
  onStay: () => void;
  onGo: () => void;
}

/** Asks before something that is written and not kept is discarded. */
export function LeaveDialog({ opened, onStay, onGo }: Props) {
  const { t } = useTranslation();
  return (
    <Dialog opened={opened} onClose={onStay} title={t("review.leave.title")}>
      <Stack>
        <Text size="sm">{t("review.leave.text")}</Text>
        <Group justify="end" gap="xs">
          <Button variant="default" color="red" onClick={onGo}>
            {t("review.leave.go")}
          </Button>
          <Button data-autofocus onClick={onStay}>
            {t("review.leave.stay")}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
