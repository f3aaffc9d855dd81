import { Badge, Code, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Agreement, Share } from "../../api/review";
import { useAgreement } from "../../api/reviewHooks";
import { PageHead } from "../../components/PageHead";
import { TableCard } from "../../components/TableCard";

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** How often physicians agreed with each model, by month. */
export function QualityPage() {
  const { t } = useTranslation();
  const agreement = useAgreement();
  return (
    <>
      <PageHead title={t("quality.title")} text={t("quality.text")} />
      <TableCard
        query={agreement}
        needs="quality"
        columns={[
          t("quality.month"), t("quality.model"), t("quality.reports"), t("quality.findings"), t("quality.verdicts"),
          t("quality.unchanged"), t("quality.confirmed"), t("quality.found"),
        ]}
        empty={t("quality.empty")}
        minWidth={980}
      >
        {(agreement.data ?? []).map((one) => (
          <Row key={`${one.institution} ${one.month} ${one.model_hash ?? ""}`} one={one} />
        ))}
      </TableCard>
      <Text size="xs" c="dimmed" mt="sm">
        {t("quality.note")}
      </Text>
    </>
  );
}

function Row({ one }: { one: Agreement }) {
  const { t } = useTranslation();
  const verdicts = [
    ["accepted", one.accepted], ["edited", one.edited], ["rejected", one.rejected], ["added", one.added],
  ] as const;
  return (
    <Table.Tr>
      <Table.Td style={{ whiteSpace: "nowrap" }}>
        <Text size="sm">{one.month}</Text>
        <Text size="xs" c="dimmed">
          {one.institution}
        </Text>
      </Table.Td>
      <Table.Td>{one.model_hash ? <Code>{one.model_hash.slice(0, 12)}</Code> : t("provenance.none")}</Table.Td>
      <Table.Td>{one.reports}</Table.Td>
      <Table.Td>{one.findings}</Table.Td>
      <Table.Td>
        {verdicts.map(([verdict, count]) => (
          <Badge key={verdict} variant="light" color="gray" autoContrast tt="none" mr={4}>
            {t(`review.verdict.${verdict}`)} {count}
          </Badge>
        ))}
      </Table.Td>
      {[one.unchanged, one.confirmed, one.found].map((share, index) => (
        <Table.Td key={index}>
          <Proportion share={share} />
        </Table.Td>
      ))}
    </Table.Tr>
  );
}

function Proportion({ share: { of, share, ci95 } }: { share: Share }) {
  if (share === null || ci95 === null) return "–";
  return (
    <>
      <Text size="sm">{percent(share)}</Text>
      <Text size="xs" c="dimmed">
        {`95 % CI ${percent(ci95[0])} – ${percent(ci95[1])}, n = ${of}`}
      </Text>
    </>
  );
}
