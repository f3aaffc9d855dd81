import { Button, Checkbox, Group, Stack, Text, Textarea } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { ApiError } from "../../../api/http";
import { type ReportVersion, type Review, reviewApi } from "../../../api/review";
import { useSession } from "../../../app/session";
import { CodeField } from "../../../components/CodeField";
import { CurrentPassword } from "../../../components/CurrentPassword";
import { useProblem } from "../../../components/access";
import { Refusal } from "../../../components/Refusal";
import { stonesLeft, unjudged } from "./words";

interface Props {
  studyUid: string;
  review: Review;
  onSigned: (signed: ReportVersion) => void;
  onRefused: () => void;
  onCancel: () => void;
}

/** Whoever signs shows once more who they are: by a code of the second factor, or by the password. */
export function SignForm({ studyUid, review, onSigned, onRefused, onCancel }: Props) {
  const { t } = useTranslation();
  const problem = useProblem();
  const session = useSession();
  const byCode = session.second_factor.enrolled;
  const [proof, setProof] = useState("");
  const [rest, setRest] = useState(false);
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const left = unjudged(review.findings);
  const amends = review.state === "signed";
  const ready = proof !== "" && (left === 0 || rest) && (!amends || reason.trim() !== "");
  const wrong = failure instanceof ApiError && failure.code === "wrong_credentials";

  async function submit(event: FormEvent) {
    event.preventDefault();
    // Six digits send the form by themselves.
    if (!ready || busy) return;
    setBusy(true);
    setFailure(null);
    try {
      const shown = byCode ? { code: proof } : { password: proof };
      onSigned(await reviewApi.sign(studyUid, review.version, { revision: review.revision, accept_rest: rest, reason, ...shown }));
    } catch (error) {
      setFailure(error);
      if (byCode) setProof("");
      if (error instanceof ApiError && error.status === 409) onRefused();
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Refusal text={failure !== null && !wrong ? problem(failure, "review") : null} />
      <Stack gap="md">
        <Text size="sm">{t("review.signSays", { count: stonesLeft(review.findings), name: session.account.name || session.account.login })}</Text>
        {left > 0 && (
          <Checkbox checked={rest} onChange={(event) => setRest(event.currentTarget.checked)} label={t("review.acceptRest", { count: left })} />
        )}
        {amends && (
          <Textarea
            label={t("review.reason")}
            description={t("review.reasonHelp", { version: review.version })}
            required
            withAsterisk={false}
            maxLength={1000}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
          />
        )}
        {byCode ? (
          <CodeField value={proof} onChange={setProof} />
        ) : (
          <CurrentPassword login={session.account.login} label={t("review.password")} value={proof} onChange={setProof} wrong={wrong} />
        )}
        <Text size="xs" c="dimmed">
          {t("shell.disclaimer")}
        </Text>
        <Group justify="end">
          <Button variant="default" onClick={onCancel}>
            {t("form.cancel")}
          </Button>
          <Button type="submit" loading={busy} disabled={!ready}>
            {t(amends ? "review.signAmendment" : "review.sign")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
