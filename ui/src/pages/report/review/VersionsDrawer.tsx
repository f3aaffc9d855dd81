import { Anchor, Button, Code, Drawer, Group, NativeSelect, Paper, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { useAct } from "../../../api/accessHooks";
import { type LabelUse, labelUses, type ReportVersion, reviewApi } from "../../../api/review";
import { useMay } from "../../../app/session";
import { useMoment } from "../../../components/access";
import { StateBadge } from "./StateBadge";

interface Props {
  studyUid: string;
  versions: ReportVersion[];
  shown: number;
  opened: boolean;
  onClose: () => void;
  onShow: (version: number) => void;
}

/** Every version of the report, the last one first, each with its files. */
export function VersionsDrawer({ studyUid, versions, shown, opened, onClose, onShow }: Props) {
  const { t } = useTranslation();
  return (
    <Drawer opened={opened} onClose={onClose} position="right" size="md" title={t("review.versions")} closeButtonProps={{ "aria-label": t("form.close") }}>
      <Stack gap="sm">
        {versions.map((version) => (
          <Version key={version.version} studyUid={studyUid} version={version} shown={version.version === shown} onShow={onShow} />
        ))}
      </Stack>
    </Drawer>
  );
}

function Version({ studyUid, version, shown, onShow }: { studyUid: string; version: ReportVersion; shown: boolean; onShow: (version: number) => void }) {
  const { t } = useTranslation();
  const moment = useMoment();
  const curates = useMay("curate");
  const setUse = useAct("versions", (use: LabelUse) => reviewApi.setLabelUse(studyUid, version.version, use));
  const { signature } = version;
  const files = [
    { name: "PDF · 한국어", href: reviewApi.pdfAddress(studyUid, version.version, "ko") },
    { name: "PDF · English", href: reviewApi.pdfAddress(studyUid, version.version, "en") },
    { name: "XLSX", href: reviewApi.xlsxAddress(studyUid, version.version) },
    { name: "CSV", href: reviewApi.csvAddress(studyUid, version.version) },
    { name: "JSON", href: reviewApi.jsonAddress(studyUid, version.version) },
    ...(signature ? [{ name: t("review.signedBytes"), href: reviewApi.signedAddress(studyUid, version.version) }] : []),
  ];
  return (
    <Paper withBorder p="sm">
      <Stack gap={6}>
        <Group justify="space-between">
          <Text fw={600} size="sm">
            {t("review.version", { version: version.version })}
          </Text>
          <StateBadge state={version.state} />
        </Group>
        <Text size="xs" c="dimmed">
          {moment(version.created_at)}
          {version.stone_count !== null && ` · ${t("review.stones", { count: version.stone_count })}`}
        </Text>
        {signature && (
          <>
            <Text size="sm">{t("review.signedBy", { name: signature.by, at: moment(signature.at) })}</Text>
            {signature.amends !== null && (
              <Text size="sm">{t("review.amends", { version: signature.amends, reason: signature.reason })}</Text>
            )}
            <Text size="xs" c="dimmed">
              SHA-256
            </Text>
            <Code style={{ wordBreak: "break-all" }}>{signature.sha256}</Code>
            {curates && (
              <NativeSelect
                size="xs"
                label={t("review.labelUse")}
                value={signature.label_use}
                disabled={setUse.isPending}
                onChange={(event) => {
                  const use = labelUses.find((one) => one === event.currentTarget.value);
                  if (use) setUse.mutate(use);
                }}
                data={labelUses.map((use) => ({ value: use, label: t(`review.labelUses.${use}`) }))}
              />
            )}
          </>
        )}
        <Group gap="sm">
          {files.map((file) => (
            <Anchor key={file.name} size="xs" href={file.href} target="_blank">
              {file.name}
            </Anchor>
          ))}
        </Group>
        {!shown && (
          <Button size="xs" variant="default" onClick={() => onShow(version.version)}>
            {t("review.show")}
          </Button>
        )}
      </Stack>
    </Paper>
  );
}
