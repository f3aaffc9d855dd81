import { Button, Group, Stack, Text } from "@mantine/core";
import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { useProblem } from "../../components/access";
import { CodeField } from "../../components/CodeField";
import { Refusal } from "../../components/Refusal";

interface Props {
  text?: string;
  submit: string;
  /** Shown above the field. */
  children?: ReactNode;
  recovery?: boolean;
  act: (code: string) => Promise<void>;
  onDone: () => void;
}

/** An act that takes a code of the second factor. */
export function CodeForm({ text, submit, children, recovery = true, act, onDone }: Props) {
  const { t } = useTranslation();
  const problem = useProblem();
  const [code, setCode] = useState("");
  const [failure, setFailure] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);

  async function send(event: FormEvent) {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setFailure(null);
    try {
      await act(code);
    } catch (error) {
      setFailure(error);
      setCode("");
      input.current?.focus();
    } finally {
      setBusy(false);
    }
  }

  return (
    <form onSubmit={(event) => void send(event)}>
      <Refusal text={failure === null ? null : problem(failure)} />
      <Stack>
        {text !== undefined && <Text size="sm">{text}</Text>}
        {children}
        <CodeField ref={input} value={code} onChange={setCode} recovery={recovery} />
        <Group justify="end">
          <Button variant="default" onClick={onDone}>
            {t("form.cancel")}
          </Button>
          <Button type="submit" loading={busy} disabled={code.trim() === ""}>
            {submit}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
