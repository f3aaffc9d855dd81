import { Button, Group, Menu, SegmentedControl, Stack, Text, Textarea, Title } from "@mantine/core";
import { Suspense, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { useAct } from "../../../api/accessHooks";
import { type Conclusion, reviewApi } from "../../../api/review";
import { useQuickTexts } from "../../../api/reviewHooks";
import { type Language, languages, later } from "../../../i18n";

interface Props {
  conclusion: Conclusion;
  writes: boolean;
  busy: boolean;
  onSave: (conclusion: Conclusion) => void;
  /** Whether something was written that is not kept yet. */
  onDirty: (dirty: boolean) => void;
}

const same = (a: Conclusion, b: Conclusion) => a.en.trim() === b.en.trim() && a.ko.trim() === b.ko.trim();

/** The physician's words in Korean and English, with texts that are used again and again. */
export function ConclusionForm({ conclusion, writes, busy, onSave, onDirty }: Props) {
  const { t, i18n } = useTranslation();
  const [language, setLanguage] = useState<Language>(i18n.language === "ko" ? "ko" : "en");
  const [words, setWords] = useState(conclusion);
  const kept = useRef(conclusion);
  useEffect(() => {
    setWords((own) => (same(own, kept.current) ? conclusion : own));
    kept.current = conclusion;
  }, [conclusion]);
  const dirty = !same(words, conclusion);
  useEffect(() => onDirty(dirty), [dirty, onDirty]);
  const insert = (text: string) =>
    setWords((before) => ({ ...before, [language]: before[language].trim() ? `${before[language].trim()}\n${text}` : text }));

  if (!writes) {
    const written = [words[language], words.ko, words.en].find((text) => text.trim());
    return (
      <Stack gap={4} px="md" pb="md">
        <Title order={3} size="h5">{t("review.conclusion")}</Title>
        <Text size="sm" {...(!written && { c: "dimmed" })} style={{ whiteSpace: "pre-line" }}>
          {written ?? t("review.noConclusion")}
        </Text>
      </Stack>
    );
  }
  return (
    <Stack gap="xs" px="md" pb="md">
      <Group justify="space-between">
        <Title order={3} size="h5">{t("review.conclusion")}</Title>
        <Group gap="xs">
          <Suspense fallback={<Button size="xs" variant="default" disabled>{t("review.quickTexts")}</Button>}>
            <QuickTexts language={language} written={words[language]} onInsert={insert} />
          </Suspense>
          <SegmentedControl
            size="xs"
            aria-label={t("shell.language")}
            value={language}
            onChange={(value) => setLanguage(value === "ko" ? "ko" : "en")}
            data={languages.map((one) => ({ value: one, label: one === "ko" ? "한국어" : "English" }))}
          />
        </Group>
      </Group>
      <Textarea
        aria-label={t("review.conclusion")}
        lang={language}
        autosize
        minRows={3}
        maxLength={4000}
        value={words[language]}
        onChange={(event) => {
          const text = event.currentTarget.value;
          setWords((before) => ({ ...before, [language]: text }));
        }}
      />
      <Group justify="end" gap="xs">
        {dirty && (
          <Text size="xs" c="dimmed">
            {t("review.unsaved")}
          </Text>
        )}
        <Button size="xs" variant={dirty ? "filled" : "default"} disabled={!dirty} loading={busy} onClick={() => onSave(words)}>
          {t("review.saveConclusion")}
        </Button>
      </Group>
    </Stack>
  );
}

function QuickTexts({ language, written, onInsert }: { language: Language; written: string; onInsert: (text: string) => void }) {
  const { t } = useTranslation();
  // They are in the language of what is written, whatever the page speaks, and wait for its texts.
  const { t: say } = useTranslation(later, { lng: language });
  const texts = useQuickTexts(true);
  const add = useAct("quickTexts", reviewApi.addQuickText);
  const remove = useAct("quickTexts", reviewApi.removeQuickText);
  const own = (texts.data ?? []).filter((text) => text.language === language);
  const ready = (["none", "one", "clinical"] as const).map((key) => say(`review.ready.${key}`));
  const text = written.trim();
  return (
    <Menu position="bottom-end" width={320} withinPortal>
      <Menu.Target>
        <Button size="xs" variant="default">
          {t("review.quickTexts")}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {ready.map((one) => (
          <Menu.Item key={one} onClick={() => onInsert(one)}>
            <Text size="sm">{one}</Text>
          </Menu.Item>
        ))}
        {own.length > 0 && <Menu.Divider />}
        {own.map((one) => (
          <Menu.Item key={one.id} onClick={() => onInsert(one.text)}>
            <Text size="sm" lineClamp={2}>
              {one.title}
            </Text>
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item
          disabled={text === "" || text.length > 2000 || own.some((one) => one.text === text)}
          onClick={() => add.mutate({ language, title: text.split("\n")[0]?.slice(0, 80) ?? "", text })}
        >
          {t("review.keepText")}
        </Menu.Item>
        {own
          .filter((one) => one.text === text)
          .map((one) => (
            <Menu.Item key={one.id} color="red" onClick={() => remove.mutate(one.id)}>
              {t("review.forgetText")}
            </Menu.Item>
          ))}
      </Menu.Dropdown>
    </Menu>
  );
}
