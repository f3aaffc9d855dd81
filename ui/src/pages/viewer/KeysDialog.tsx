import { Button, Group, Kbd, Stack, Table, Text } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Dialog } from "../../components/Dialog";
import { type Action, actions, type Hotkeys, keyName, standard, withKey } from "../../viewer/hotkeys";

interface Props {
  opened: boolean;
  hotkeys: Hotkeys;
  onChange: (hotkeys: Hotkeys) => void;
  onClose: () => void;
}

/** What keys and the mouse do, and how to have it otherwise. */
export function KeysDialog({ opened, onClose, ...keys }: Props) {
  const { t } = useTranslation();
  const [waiting, setWaiting] = useState<Action | null>(null);
  return (
    <Dialog
      opened={opened}
      onClose={() => {
        setWaiting(null);
        onClose();
      }}
      title={t("viewer.keys.title")}
      size="lg"
      closeOnEscape={waiting === null}
    >
      <Keys {...keys} waiting={waiting} onWait={setWaiting} onClose={onClose} />
    </Dialog>
  );
}

interface KeysProps extends Omit<Props, "opened"> {
  /** The act whose new key is waited for. */
  waiting: Action | null;
  onWait: (action: Action | null) => void;
}

/** What the dialog holds once it is open. */
function Keys({ hotkeys, onChange, onClose, waiting, onWait }: KeysProps) {
  const { t } = useTranslation();
  const [refused, setRefused] = useState(false);
  return (
    <Stack
      gap="sm"
      onKeyDown={(event) => {
        if (waiting === null || event.key === "Tab") return;
        event.preventDefault();
        event.stopPropagation();
        if (/^(Shift|Control|Alt|Meta)$/.test(event.key)) return;
        if (event.key !== "Escape") {
          const changed = withKey(hotkeys, waiting, event.key);
          setRefused(changed === null);
          if (changed === null) return;
          onChange(changed);
        }
        onWait(null);
      }}
    >
      <Text size="sm">{t("viewer.keys.mouse")}</Text>
      <Text size="sm">{t("viewer.keys.touch")}</Text>
      <Text size="sm" c="dimmed">
        {t("viewer.keys.change")}
      </Text>
      {refused && (
        <Text size="sm" c="var(--mantine-color-error)" role="alert">
          {t("viewer.keys.refused")}
        </Text>
      )}
      <Table verticalSpacing={2}>
        <Table.Tbody>
          {actions.map((action) => (
            <Table.Tr key={action}>
              <Table.Td>{t(`viewer.keys.action.${action}`)}</Table.Td>
              <Table.Td w={190}>
                <Button
                  size="compact-sm"
                  variant={waiting === action ? "filled" : "default"}
                  fullWidth
                  aria-label={t("viewer.keys.changeOne", { action: t(`viewer.keys.action.${action}`), key: keyName(hotkeys[action]) })}
                  onClick={() => {
                    setRefused(false);
                    onWait(action);
                  }}
                >
                  {waiting === action ? t("viewer.keys.press") : <Kbd size="xs">{keyName(hotkeys[action])}</Kbd>}
                </Button>
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Group justify="space-between">
        <Button variant="default" size="xs" onClick={() => onChange({ ...standard })}>
          {t("viewer.keys.standard")}
        </Button>
        <Button size="xs" onClick={onClose}>
          {t("form.close")}
        </Button>
      </Group>
    </Stack>
  );
}
