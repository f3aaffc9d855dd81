import { Badge, Box, Button, Group, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { noEdits, type ReviewedFinding, type StoneEdits, type Verdict } from "../../../api/review";
import type { Stone } from "../../../api/types";
import { useMoment } from "../../../components/access";
import { useFound, useStated } from "./words";

const colours: Record<Verdict, string> = {
  accepted: "hilum", edited: "blue", rejected: "red", added: "grape", withdrawn: "gray",
};

interface Props {
  finding: ReviewedFinding;
  /** Of a finding of the model. */
  stone: Stone | undefined;
  /** Whether it may be judged here and now. */
  judges: boolean;
  busy: boolean;
  onJudge: (verdict: Verdict, edits: StoneEdits, comment: string) => void;
  onEdit: (comment: string) => void;
  /** Whether a comment is written here that is not kept. */
  onUnkept: (number: number, now: boolean) => void;
  /** Where images are beside it. */
  onLookAt?: () => void;
}

/** A finding with its verdict. With the row in focus, A accepts, E edits, R rejects, and arrows go to the rows beside it. */
export function FindingRow({ finding, stone, judges, busy, onJudge, onEdit, onUnkept, onLookAt }: Props) {
  const { t } = useTranslation();
  const found = useFound();
  const stated = useStated();
  const moment = useMoment();
  const { number, added, verdict, history } = finding;
  const [comment, setComment] = useState(verdict?.comment ?? "");
  const kept = useRef(verdict?.comment ?? "");
  useEffect(() => {
    // What somebody else wrote is shown, unless something is being written here.
    const theirs = verdict?.comment ?? "";
    setComment((own) => (own === kept.current ? theirs : own));
    kept.current = theirs;
  }, [verdict?.comment]);
  const unkept = judges && comment.trim() !== (verdict?.comment ?? "");
  useEffect(() => {
    onUnkept(number, unkept);
    return () => onUnkept(number, false);
  }, [number, unkept, onUnkept]);
  const gone = verdict?.verdict === "rejected" || verdict?.verdict === "withdrawn";
  const accept = () => onJudge(added ? "added" : "accepted", added ? (verdict?.edits ?? noEdits) : noEdits, comment);
  const reject = () => onJudge(added ? "withdrawn" : "rejected", noEdits, comment);

  function onKey(event: KeyboardEvent<HTMLDivElement>) {
    if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
    const beside = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" } as const;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const other = event.currentTarget[beside[event.key]];
      if (other instanceof HTMLElement) {
        event.preventDefault();
        other.focus();
      }
      return;
    }
    if (!judges || busy) return;
    const act = { a: accept, e: () => onEdit(comment), r: reject }[event.key.toLowerCase()];
    if (act) {
      event.preventDefault();
      act();
    }
  }

  const said = verdict && [t(`review.verdict.${verdict.verdict}`), stated(verdict.edits)].filter(Boolean).join(": ");
  return (
    <Box
      className="finding"
      role="group"
      tabIndex={0}
      onKeyDown={onKey}
      onFocus={onLookAt}
      aria-label={t(added ? "review.addedStone" : "review.finding", { number })}
      aria-keyshortcuts={judges ? "A E R ArrowUp ArrowDown" : undefined}
      px="md"
      py="sm"
    >
      <Group justify="space-between" align="start" gap="sm">
        <Stack gap={4} flex="1 1 260px">
          <Text size="sm" fw={600} td={gone ? "line-through" : undefined}>
            {number}. {stone ? found(stone) : stated(verdict?.edits ?? noEdits) || t("review.addedStone", { number })}
          </Text>
          {verdict ? (
            <Group gap={6}>
              <Badge color={colours[verdict.verdict]} variant="light" autoContrast tt="none">
                {said}
              </Badge>
              <Text size="xs" c="dimmed">
                {verdict.by} · {moment(verdict.at)}
              </Text>
              {history.length > 0 && (
                <Tooltip
                  multiline
                  maw={420}
                  label={history.map((one, index) => (
                    <div key={index}>
                      {[t(`review.verdict.${one.verdict}`), stated(one.edits), one.comment, one.by, moment(one.at)].filter(Boolean).join(" · ")}
                    </div>
                  ))}
                >
                  <Badge variant="outline" color="gray" tt="none" tabIndex={0}>
                    {t("review.before", { count: history.length })}
                  </Badge>
                </Tooltip>
              )}
            </Group>
          ) : (
            <Text size="xs" c="dimmed">
              {t("review.notJudged")}
            </Text>
          )}
          {!judges && verdict?.comment && <Text size="sm">{verdict.comment}</Text>}
        </Stack>
        {judges && (
          <Stack gap={6} flex="1 1 320px" maw={520}>
            <Button.Group>
              <Button size="xs" flex={1} variant={verdict && !gone && verdict.verdict !== "edited" ? "filled" : "default"} disabled={busy} onClick={accept}>
                {t(added ? "review.keep" : "review.accept")}
              </Button>
              <Button size="xs" flex={1} variant={verdict?.verdict === "edited" ? "filled" : "default"} disabled={busy} onClick={() => onEdit(comment)}>
                {t("review.edit")}
              </Button>
              <Button size="xs" flex={1} variant={gone ? "filled" : "default"} color="red" disabled={busy} onClick={reject}>
                {t(added ? "review.withdraw" : "review.reject")}
              </Button>
            </Button.Group>
            <TextInput
              size="xs"
              aria-label={t("review.commentOn", { number })}
              placeholder={t("review.comment")}
              {...(unkept && !verdict && { description: t("review.commentWaits"), inputWrapperOrder: ["input", "description"] })}
              maxLength={1000}
              value={comment}
              onChange={(event) => setComment(event.currentTarget.value)}
              onBlur={() => {
                if (verdict && comment.trim() !== verdict.comment) onJudge(verdict.verdict, verdict.edits, comment);
              }}
            />
          </Stack>
        )}
      </Group>
    </Box>
  );
}
