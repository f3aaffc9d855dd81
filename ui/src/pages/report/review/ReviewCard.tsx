import { Alert, Button, Center, Group, Loader, Paper, Stack, Text, Title } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Conclusion, noEdits, type Review, reviewApi, type StoneEdits, type Verdict } from "../../../api/review";
import { useReview, useReviewChange } from "../../../api/reviewHooks";
import type { UrinaryStoneReport } from "../../../api/types";
import { useMay } from "../../../app/session";
import { useMoment, useProblem } from "../../../components/access";
import { Dialog } from "../../../components/Dialog";
import { Refusal } from "../../../components/Refusal";
import { ConclusionForm } from "./ConclusionForm";
import { FindingRow } from "./FindingRow";
import { LeaveGuard } from "./LeaveGuard";
import { SignForm } from "./SignForm";
import { StateBadge } from "./StateBadge";
import { StoneForm } from "./StoneForm";
import { unjudged } from "./words";

/** What is being edited: a finding, or a stone that the model did not find. */
type Edited = { number: number | null; edits: StoneEdits; comment: string; ofModel: boolean };

/** The physician's half of a version: verdicts, conclusion, signature. */
interface Props {
  studyUid: string;
  report: UrinaryStoneReport;
  onSigned: () => void;
  /** Where images are beside it: a finding is looked at. */
  onLookAt?: (number: number) => void;
}

export function ReviewCard({ studyUid, report, onSigned, onLookAt }: Props) {
  const { t } = useTranslation();
  const problem = useProblem();
  const review = useReview(studyUid, report.version);
  return (
    <Paper withBorder className="review">
      {review.isPending && (
        <Center py={40}>
          <Loader aria-label={t("form.loading")} />
        </Center>
      )}
      {review.isError && !review.data && (
        <Alert color="red" role="alert">
          {problem(review.error, "view")}
        </Alert>
      )}
      {review.data && <Panel studyUid={studyUid} report={report} review={review.data} onSigned={onSigned} {...(onLookAt && { onLookAt })} />}
    </Paper>
  );
}

function Panel({ studyUid, report, review, onSigned, onLookAt }: Props & { review: Review }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const moment = useMoment();
  const client = useQueryClient();
  const [edited, setEdited] = useState<Edited | null>(null);
  const [signing, setSigning] = useState(false);
  const [dirty, setDirty] = useState(false);
  const [unkept, setUnkept] = useState<readonly number[]>([]);
  const { version, revision } = review;
  const amends = review.state === "signed";
  // What was signed is not changed by the way: an amendment is begun on purpose.
  const [begun, setBegun] = useState(false);
  const may = useMay("review") && review.open;
  const drafted = amends && revision > 0;
  const judges = may && (!amends || begun || drafted);
  const judge = useReviewChange(studyUid, version, (said: { number: number | null; verdict: Verdict; edits: StoneEdits; comment: string }) =>
    said.number === null
      ? reviewApi.addStone(studyUid, version, { revision, edits: said.edits, comment: said.comment })
      : reviewApi.judge(studyUid, version, said.number, { revision, verdict: said.verdict, edits: said.edits, comment: said.comment }),
  );
  const conclude = useReviewChange(studyUid, version, (conclusion: Conclusion) =>
    reviewApi.conclude(studyUid, version, { revision, conclusion }),
  );
  const onDirty = useCallback((now: boolean) => setDirty(now), []);
  const onUnkept = useCallback((number: number, now: boolean) => {
    setUnkept((before) => (before.includes(number) === now ? before : now ? [...before, number] : before.filter((one) => one !== number)));
  }, []);
  const written = judges && (dirty || unkept.length > 0);
  const failure = judge.error ?? conclude.error;
  const left = unjudged(review.findings);

  return (
    <Stack gap="sm">
      <LeaveGuard when={written} />
      <Group justify="space-between" px="md" pt="md">
        <Group gap="sm">
          <Title order={2} size="h4">{t("review.title")}</Title>
          <StateBadge state={review.state} />
        </Group>
        {may && !judges && (
          <Button size="xs" variant="default" className="no-print" onClick={() => setBegun(true)}>
            {t("review.amend")}
          </Button>
        )}
        {judges && (
          <Group gap="xs" className="no-print">
            <Button size="xs" variant="default" onClick={() => setEdited({ number: null, edits: noEdits, comment: "", ofModel: false })}>
              {t("review.addStone")}
            </Button>
            <Button size="xs" disabled={written} onClick={() => setSigning(true)}>
              {t(amends ? "review.signAmendment" : "review.sign")}
            </Button>
          </Group>
        )}
      </Group>
      {report.signature && (
        <Text size="sm" px="md">
          {t("review.signedBy", { name: report.signature.by, at: moment(report.signature.at) })}
        </Text>
      )}
      {judges && (
        <Text size="xs" c="dimmed" px="md">
          {t(amends ? "review.helpSigned" : "review.help")} {left > 0 && t("review.left", { count: left })}
        </Text>
      )}
      {drafted && !judges && (
        <Text size="xs" c="dimmed" px="md">
          {t("review.drafted")}
        </Text>
      )}
      <Stack px="md" gap={0}>
        <Refusal text={failure ? problem(failure, "review") : null} />
      </Stack>
      {review.findings.length === 0 && (
        <Text size="sm" c="dimmed" px="md">
          {t("review.noFindings")}
        </Text>
      )}
      <div>
        {review.findings.map((finding) => {
          const stone = finding.added ? undefined : report.stones.find((one) => one.number === finding.number);
          return (
            <FindingRow
              key={finding.number}
              finding={finding}
              stone={stone}
              judges={judges}
              busy={judge.isPending}
              {...(onLookAt && { onLookAt: () => onLookAt(finding.number) })}
              onUnkept={onUnkept}
              onJudge={(verdict, edits, comment) => {
                conclude.reset();
                judge.mutate({ number: finding.number, verdict, edits, comment: comment.trim() });
              }}
              onEdit={(comment) =>
                setEdited({ number: finding.number, edits: finding.verdict?.edits ?? noEdits, comment, ofModel: !finding.added })
              }
            />
          );
        })}
      </div>
      <ConclusionForm
        conclusion={review.conclusion}
        writes={judges}
        busy={conclude.isPending}
        onSave={(conclusion) => {
          judge.reset();
          conclude.mutate(conclusion);
        }}
        onDirty={onDirty}
      />
      <Dialog
        opened={edited !== null}
        onClose={() => setEdited(null)}
        title={edited?.number ? t("review.editOne", { number: edited.number }) : t("review.addStone")}
      >
        {edited && (
          <StoneForm
            edits={edited.edits}
            comment={edited.comment}
            ofModel={edited.ofModel}
            busy={judge.isPending}
            onCancel={() => setEdited(null)}
            onSave={(edits, comment) => {
              judge.mutate(
                { number: edited.number, verdict: edited.ofModel ? "edited" : "added", edits, comment: comment.trim() },
                { onSettled: () => setEdited(null) },
              );
            }}
          />
        )}
      </Dialog>
      <Dialog opened={signing} onClose={() => setSigning(false)} title={t(amends ? "review.signAmendment" : "review.sign")}>
        <SignForm
          studyUid={studyUid}
          review={review}
          onCancel={() => setSigning(false)}
          onRefused={() => void client.invalidateQueries({ queryKey: ["review", studyUid] })}
          onSigned={(signed) => {
            setSigning(false);
            notifications.show({
              message: t("review.isSigned", { version: signed.version }),
              closeButtonProps: { "aria-label": t("form.close") },
            });
            onSigned();
            void client.invalidateQueries();
          }}
        />
      </Dialog>
    </Stack>
  );
}
