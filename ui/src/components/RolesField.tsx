import { Chip, Group, Input, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Role, RoleAt } from "../api/access";

export interface Choice {
  code: string;
  name: string;
  roles: readonly Role[];
}

interface Props {
  label: string;
  description?: string;
  error?: string | false;
  choices: Choice[];
  value: RoleAt[];
  onChange: (value: RoleAt[]) => void;
}

/** Roles, for each institution its own. What stands outside of the choices stays as it is. */
export function RolesField({ label, description, error, choices, value, onChange }: Props) {
  const { t } = useTranslation();
  const at = (code: string) => value.filter(({ institution }) => institution === code).map(({ role }) => role as string);
  const set = (choice: Choice, chosen: string[]) =>
    onChange([
      ...value.filter(({ institution }) => institution !== choice.code),
      ...choice.roles.filter((role) => chosen.includes(role)).map((role) => ({ institution: choice.code, role })),
    ]);
  const shown = [...new Set(choices.flatMap((choice) => choice.roles))];
  return (
    <Input.Wrapper label={label} description={description} error={error} labelElement="div">
      <Stack gap="sm" mt="xs">
        {choices.map((choice) => (
          <div key={choice.code} role="group" aria-label={choice.name || choice.code}>
            <Text size="sm" mb={6}>
              {choice.name || choice.code}{" "}
              {choice.name && (
                <Text span size="xs" c="dimmed">
                  {choice.code}
                </Text>
              )}
            </Text>
            <Chip.Group multiple value={at(choice.code)} onChange={(chosen) => set(choice, chosen)}>
              <Group gap={6}>
                {choice.roles.map((role) => (
                  <Chip key={role} value={role} size="xs" radius="sm">
                    {t(`role.${role}`)}
                  </Chip>
                ))}
              </Group>
            </Chip.Group>
          </div>
        ))}
        <Stack gap={2}>
          {shown.map((role) => (
            <Text key={role} size="xs" c="dimmed">
              <b>{t(`role.${role}`)}</b> {t(`roleHelp.${role}`)}
            </Text>
          ))}
        </Stack>
      </Stack>
    </Input.Wrapper>
  );
}
