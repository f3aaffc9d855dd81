import { Alert, Anchor, Button, Group, Menu } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useTranslation } from "react-i18next";

import { type ReportVersion, reviewApi } from "../../../api/review";
import { StateBadge } from "./StateBadge";
import { VersionsDrawer } from "./VersionsDrawer";

interface Props {
  studyUid: string;
  versions: ReportVersion[];
  /** The version that the page shows. */
  shown: number;
  onShow: (version: number | null) => void;
}

/** What the shown version is, its files, and the way to the others. */
export function VersionBar({ studyUid, versions, shown, onShow }: Props) {
  const { t } = useTranslation();
  const [opened, { open, close }] = useDisclosure(false);
  const own = versions.find((version) => version.version === shown);
  return (
    <Group gap="xs" className="no-print">
      {own && <StateBadge state={own.state} />}
      <Button variant="default" onClick={open}>
        {t("review.versions")}
      </Button>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button>{t("report.download")}</Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item component="a" href={reviewApi.pdfAddress(studyUid, shown, "ko")} target="_blank">
            PDF · 한국어
          </Menu.Item>
          <Menu.Item component="a" href={reviewApi.pdfAddress(studyUid, shown, "en")} target="_blank">
            PDF · English
          </Menu.Item>
          <Menu.Item component="a" href={reviewApi.xlsxAddress(studyUid, shown)}>
            Excel (XLSX)
          </Menu.Item>
          <Menu.Item component="a" href={reviewApi.csvAddress(studyUid, shown)}>
            CSV
          </Menu.Item>
          <Menu.Item component="a" href={reviewApi.jsonAddress(studyUid, shown)} target="_blank">
            JSON
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <VersionsDrawer
        studyUid={studyUid}
        versions={versions}
        shown={shown}
        opened={opened}
        onClose={close}
        onShow={(version) => {
          close();
          onShow(version);
        }}
      />
    </Group>
  );
}

/** Says when the page shows another version than the one that counts, or when a later reading waits for a signature. */
export function VersionNotice({ versions, shown, onShow }: Omit<Props, "studyUid">) {
  const { t } = useTranslation();
  const counts = versions.find((version) => version.state === "signed" || version.state === "unsigned");
  const waits = versions.find((version) => version.state === "after_signature");
  if (counts && counts.version !== shown) {
    return (
      <Alert color="yellow" title={t(waits?.version === shown ? "review.waitsTitle" : "review.otherVersion", { version: shown })}>
        {t("review.countsVersion", { version: counts.version })}{" "}
        <Anchor component="button" type="button" onClick={() => onShow(null)}>
          {t("review.showCounts")}
        </Anchor>
      </Alert>
    );
  }
  if (!waits) return null;
  return (
    <Alert color="orange" title={t("review.waitsTitle")}>
      {t("review.waits", { version: waits.version })}{" "}
      <Anchor component="button" type="button" onClick={() => onShow(waits.version)}>
        {t("review.showWaits")}
      </Anchor>
    </Alert>
  );
}
