import { Code, List, Paper, Stack, Table, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";

import { useNode } from "../../api/operations";
import type { PullView, RuleView } from "../../api/types";
import { PageHead } from "../../components/PageHead";
import { TableCard } from "../../components/TableCard";

/** All of some, in words. */
function useAll(): (some: string[]) => string {
  const { i18n } = useTranslation();
  return (some) => new Intl.ListFormat(i18n.language, { type: "conjunction" }).format(some);
}

/** What a rule says, as one sentence. */
function useRuleWords(): (rule: RuleView) => string {
  const { t, i18n } = useTranslation();
  const all = useAll();
  const either = (some: string[]) => new Intl.ListFormat(i18n.language, { type: "disjunction" }).format(some);
  return (rule) => {
    const about = [
      rule.source && t("admin.routes.source", { source: rule.source }),
      rule.modality.length > 0 && t("admin.routes.modality", { modality: either(rule.modality) }),
      rule.description && t("admin.routes.description", { description: rule.description }),
    ].filter(Boolean);
    const does = [
      rule.institution && t("admin.routes.institution", { institution: rule.institution }),
      rule.forward.length > 0 && t("admin.routes.forward", { peers: all(rule.forward) }),
    ].filter(Boolean);
    return t("admin.routes.sentence", { about: about.length > 0 ? about.join(", ") : t("admin.routes.everything"), does: does.join(", ") });
  };
}

function usePullWords(): (pull: PullView) => string {
  const { t } = useTranslation();
  return (pull) =>
    [
      t("admin.routes.pull", { peer: pull.peer, minutes: pull.every_minutes }),
      pull.modality && t("admin.routes.modality", { modality: pull.modality }),
      pull.description && t("admin.routes.description", { description: pull.description }),
      pull.worklist_only && t("admin.routes.worklistOnly"),
      pull.days_back != null && t("admin.routes.daysBack", { count: pull.days_back }),
      t("admin.routes.most", { count: pull.most_studies }),
    ]
      .filter(Boolean)
      .join(", ");
}

/** Where instances go and what is fetched by itself, as the configuration says it, in words. */
export default function RoutesPage() {
  const { t } = useTranslation();
  const node = useNode();
  const words = useRuleWords();
  const pull = usePullWords();
  const results = node.data?.results;
  const all = useAll();
  return (
    <>
      <PageHead title={t("nav.routes")} text={t("admin.routes.text")} />
      <TableCard query={node} needs="operate" columns={["#", t("admin.routes.rule")]} empty={t("admin.routes.empty")} minWidth={320}>
        {(node.data?.rules ?? []).map((rule, index) => (
          <Table.Tr key={index}>
            <Table.Td>{index + 1}</Table.Td>
            <Table.Td>{words(rule)}</Table.Td>
          </Table.Tr>
        ))}
      </TableCard>
      {node.data && (
        <Stack mt="md">
          <Paper withBorder p="md">
            <Title order={2} size="h4" mb="xs">{t("admin.routes.pulls")}</Title>
            {node.data.pulls.length === 0 ? (
              <Text size="sm" c="dimmed">{t("admin.routes.noPulls")}</Text>
            ) : (
              <List size="sm">{node.data.pulls.map((one, index) => <List.Item key={index}>{pull(one)}</List.Item>)}</List>
            )}
          </Paper>
          <Paper withBorder p="md">
            <Title order={2} size="h4" mb="xs">{t("admin.routes.results")}</Title>
            <Text size="sm">
              {results && results.objects.length > 0
                ? t(`admin.routes.made_${results.when}`, {
                    objects: all(results.objects.map((one) => one.toUpperCase())),
                    peers: results.to.length > 0 ? t("admin.routes.sentTo", { peers: all(results.to) }) : t("admin.routes.sentNowhere"),
                  })
                : t("admin.routes.noResults")}
            </Text>
          </Paper>
          <Text size="sm" c="dimmed">{t("admin.routes.how")}</Text>
          <Code block>{'[[rules]]\nsource = "CT*"\nmodality = ["CT"]\nforward = ["PACS"]'}</Code>
        </Stack>
      )}
    </>
  );
}
