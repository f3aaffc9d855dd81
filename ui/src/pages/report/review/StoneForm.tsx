import { Button, Group, NativeSelect, NumberInput, Stack, Textarea } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { noEdits, sides, type Site, sites, type StoneEdits } from "../../../api/review";
import type { Stone } from "../../../api/types";

interface Props {
  edits: StoneEdits;
  comment: string;
  /** Of a finding of the model: what is left empty stays as the model has it. */
  ofModel: boolean;
  busy: boolean;
  onSave: (edits: StoneEdits, comment: string) => void;
  onCancel: () => void;
}

/** What a physician states of a stone. */
export function StoneForm({ edits, comment, ofModel, busy, onSave, onCancel }: Props) {
  const { t } = useTranslation();
  const [stated, setStated] = useState(edits);
  const [words, setWords] = useState(comment);
  const unchanged = { value: "", label: t(ofModel ? "review.asFound" : "review.notStated") };
  const nothing = ofModel && Object.values({ ...noEdits, ...stated }).every((value) => value === null);

  function submit(event: FormEvent) {
    event.preventDefault();
    onSave(stated, words);
  }

  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <NativeSelect
          label={t("review.side")}
          data-autofocus
          value={stated.side ?? ""}
          onChange={(event) => setStated({ ...stated, side: (event.currentTarget.value || null) as Stone["side"] | null })}
          data={[unchanged, ...sides.map((side) => ({ value: side, label: t(`side.${side}`) }))]}
        />
        <NativeSelect
          label={t("review.site")}
          value={stated.site ?? ""}
          onChange={(event) => setStated({ ...stated, site: (event.currentTarget.value || null) as Site | null })}
          data={[unchanged, ...sites.map((site) => ({ value: site, label: t(`stoneSite.${site}`) }))]}
        />
        <NumberInput
          label={t("stones.diameter")}
          placeholder={unchanged.label}
          min={0.1}
          max={300}
          step={0.5}
          decimalScale={1}
          allowNegative={false}
          hideControls
          value={stated.largest_diameter_mm ?? ""}
          onChange={(value) => setStated({ ...stated, largest_diameter_mm: typeof value === "number" && value > 0 ? value : null })}
        />
        <Textarea label={t("review.comment")} maxLength={1000} autosize minRows={2} value={words} onChange={(event) => setWords(event.currentTarget.value)} />
        <Group justify="end">
          <Button variant="default" onClick={onCancel}>
            {t("form.cancel")}
          </Button>
          <Button type="submit" loading={busy} disabled={nothing}>
            {t("form.save")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
