import { Alert, Badge, Collapse, Group, List, Paper, SegmentedControl, SimpleGrid, Stack, Table, Text, Title, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { useOptions } from "../../api/hooks";
import {
  toldFacts, toldOfKidneys, type GuidelineOptions, type RuleInput, type RuleInputs, type StoneOptions, type Told, type ToldFact, type UrinaryStoneReport, type WeighedRule,
} from "../../api/types";
import { aboutOptions, useStatement } from "../../components/reportText";
import { KidneyScores } from "./KidneyScores";
import { RecordedFacts } from "./RecordedFacts";

/** What guidelines offer for each stone, and what they would if more were known. What is told here is weighed at once, and kept nowhere. */
export function OptionsCard({ studyUid, report }: { studyUid: string; report: UrinaryStoneReport }) {
  const { t } = useTranslation();
  const statement = useStatement();
  const [told, setTold] = useState<Told>({});
  const again = useOptions(studyUid, report, told);
  const telling = Object.keys(told).length > 0;
  // What a record told since then is weighed, too; otherwise the report stands as it was made.
  const later =
    again.data && !again.isPlaceholderData && JSON.stringify(again.data.recorded ?? []) !== JSON.stringify(report.options?.recorded ?? []);
  const options = ((telling || later) && again.data) || report.options;
  if (!options || options.stones.length === 0) return null;
  return (
    <Paper withBorder p="md">
      <Title order={2} size="h4" mb="xs">
        {t("options.title")}
      </Title>
      <Alert color="yellow" variant="light" mb="md">
        {report.disclaimers.filter((one) => aboutOptions.has(one.code)).map((one) => statement(one)).join(" ")}
      </Alert>
      <ToldForm facts={toldFacts} legend={t("options.told")} help={t("options.toldHelp")} told={told} onChange={setTold} />
      <RecordedFacts facts={options.recorded ?? []} />
      {telling && again.isError && (
        <Alert color="red" mb="md">
          {t("options.failed")}
        </Alert>
      )}
      <Stack gap="lg">
        {options.stones.map((stone) => (
          <OneStone key={stone.stone} stone={stone} />
        ))}
      </Stack>
      {!!options.kidneys?.length && (
        <Stack gap="lg" mt="lg">
          <Title order={3} size="h5">
            {t("kidneyScores.title")}
          </Title>
          <ToldForm facts={toldOfKidneys} legend={t("kidneyScores.told")} help={t("kidneyScores.toldHelp")} told={told} onChange={setTold} />
          <KidneyScores options={options} />
        </Stack>
      )}
      <Sources options={options} />
    </Paper>
  );
}

/** Yes, no or not known, of each fact that no image tells. */
function ToldForm({ facts, legend, help, told, onChange }: { facts: readonly ToldFact[]; legend: string; help: string; told: Told; onChange: (told: Told) => void }) {
  const { t } = useTranslation();
  const choose = (fact: ToldFact, value: string) => {
    const { [fact]: _, ...others } = told;
    onChange(value === "unknown" ? others : { ...others, [fact]: value === "yes" });
  };
  return (
    <fieldset className="told">
      <Text component="legend" size="sm" fw={600}>
        {legend}
      </Text>
      <Text size="xs" c="dimmed" mb="xs">
        {help}
      </Text>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="xs" mb="md">
        {facts.map((fact) => (
          <Group key={fact} justify="space-between" wrap="nowrap" gap="xs">
            <Text size="sm" id={`told-${fact}`}>
              {t(`ruleInput.${fact}`)}
            </Text>
            <SegmentedControl
              size="xs"
              aria-labelledby={`told-${fact}`}
              value={told[fact] === undefined ? "unknown" : told[fact] ? "yes" : "no"}
              onChange={(value) => choose(fact, value)}
              data={["yes", "no", "unknown"].map((value) => ({ value, label: t(`options.${value}`) }))}
            />
          </Group>
        ))}
      </SimpleGrid>
    </fieldset>
  );
}

function OneStone({ stone }: { stone: StoneOptions }) {
  const { t } = useTranslation();
  const applies = stone.rules.filter((one) => one.verdict === "applies");
  const perhaps = stone.rules.filter((one) => one.verdict === "not_determined");
  const [open, { toggle }] = useDisclosure(applies.length === 0);
  return (
    <section aria-label={t("keyImages.stone", { number: stone.stone })}>
      <Title order={3} size="h5" mb={4}>
        {t("keyImages.stone", { number: stone.stone })}
      </Title>
      {applies.length === 0 ? (
        <Text size="sm" c="dimmed">
          {t("options.none")}
        </Text>
      ) : (
        <Rules rules={applies} known={stone.known} />
      )}
      {stone.passage.length > 0 && (
        <Text size="sm" mt="xs">
          <b>{t("options.passage")}</b>{" "}
          {stone.passage
            .map((one) => `${one.percent} %${one.range ? ` (${one.range[0]}–${one.range[1]})` : ""} ${one.source}`)
            .join(" · ")}
        </Text>
      )}
      {perhaps.length > 0 && (
        <>
          <UnstyledButton onClick={toggle} aria-expanded={open} mt="xs">
            <Text size="sm" c="hilum">
              {open ? "▾" : "▸"} {t("options.perhaps", { count: perhaps.length })}
            </Text>
          </UnstyledButton>
          <Collapse expanded={open}>
            <Rules rules={perhaps} known={stone.known} />
          </Collapse>
        </>
      )}
    </section>
  );
}

function Rules({ rules, known }: { rules: WeighedRule[]; known: RuleInputs }) {
  const { t } = useTranslation();
  const because = useKnown();
  const perhaps = rules.some((one) => one.missing.length > 0);
  return (
    <Table.ScrollContainer minWidth={640}>
      <Table verticalSpacing={6} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>{t("options.guideline")}</Table.Th>
            <Table.Th>{t("options.topic")}</Table.Th>
            <Table.Th>{t("options.offer")}</Table.Th>
            <Table.Th>{t("options.because")}</Table.Th>
            {perhaps && <Table.Th>{t("options.missing")}</Table.Th>}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rules.map((one) => (
            <Table.Tr key={`${one.guideline} ${one.rule.id}`}>
              <Table.Td>
                <Badge variant="light" tt="none" title={one.rule.id} styles={{ label: { overflow: "visible" } }}>
                  {one.guideline}
                </Badge>
              </Table.Td>
              <Table.Td>{t(`ruleTopic.${one.rule.topic}`)}</Table.Td>
              <Table.Td fw={perhaps ? 400 : 600}>
                <Offer rule={one.rule} />
              </Table.Td>
              <Table.Td c="dimmed">{because(known, one.used)}</Table.Td>
              {perhaps && <Table.Td c="dimmed">{one.missing.map((input) => t(`ruleInput.${input}`)).join(", ")}</Table.Td>}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

/** "URS; then SWL; not PCNL" */
function Offer({ rule }: { rule: WeighedRule["rule"] }) {
  const { t } = useTranslation();
  const any = (some: string[]) => some.map((one) => t(`treatment.${one}`)).join(t("options.or"));
  const parts = [
    (rule.options ?? []).map(any).join(t("options.then")),
    rule.reconsider_weeks && t("options.weeks", { from: rule.reconsider_weeks[0], to: rule.reconsider_weeks[1] }),
    rule.against && t("options.not", { treatments: rule.against.map((one) => t(`treatment.${one}`)).join(", ") }),
  ];
  return <>{parts.filter(Boolean).join("; ")}</>;
}

/** What was known, in words: "ureter, 6.1 mm, infection: no". */
function useKnown() {
  const { t } = useTranslation();
  const number = (value: number | null | undefined, unit: string, decimals = 0) => (value == null ? "" : `${value.toFixed(decimals)} ${unit}`);
  return (known: RuleInputs, used: RuleInput[]) =>
    used
      .map((input) => {
        switch (input) {
          case "place":
            return known.place ? t(`stoneSite.${known.place}`) : "";
          case "diameter_mm":
            return number(known.diameter_mm, "mm", 1);
          case "width_mm":
            return `${t("ruleInput.width_mm")} ${number(known.width_mm, "mm", 1)}`;
          case "hu_mean":
            return number(known.hu_mean, "HU");
          case "skin_to_stone_mm":
            return `${t("ruleInput.skin_to_stone_mm")} ${number(known.skin_to_stone_mm, "mm")}`;
          case "stones":
            return `${t("ruleInput.stones")} ${known.stones ?? ""}`;
          case "area_mm2":
            return `${t("ruleInput.area_mm2")} ${number(known.area_mm2, "mm²")}`;
          case "age_years":
            return `${t("ruleInput.age_years")} ${known.age_years ?? ""}`;
          default:
            return `${t(`ruleInput.${input}`)}: ${t(known[input] ? "options.yes" : "options.no")}`;
        }
      })
      .filter(Boolean)
      .join(", ");
}

function Sources({ options }: { options: GuidelineOptions }) {
  const { t } = useTranslation();
  const used = new Set(options.stones.flatMap((stone) => [...stone.rules.map((one) => one.guideline), ...stone.passage.map((one) => one.source)]));
  for (const kidney of options.kidneys ?? []) for (const one of kidney.scores) used.add(one.score);
  const own = new Map(options.stones.flatMap((stone) => stone.rules).flatMap((one) => (one.rule.citation ? [[one.rule.id, one.rule.citation] as const] : [])));
  return (
    <>
      <Text size="sm" fw={600} mt="lg">
        {t("options.sources")}
      </Text>
      <List size="xs" c="dimmed" spacing={2}>
        {options.sources
          .filter((source) => used.has(source.id))
          .map((source) => (
            <List.Item key={source.id}>
              <b>{source.id}</b> v{source.version}: {[source.title, source.edition, source.citation].filter(Boolean).join(". ")}
            </List.Item>
          ))}
        {[...own].map(([rule, citation]) => (
          <List.Item key={rule}>
            {rule}: {citation}
          </List.Item>
        ))}
      </List>
    </>
  );
}
