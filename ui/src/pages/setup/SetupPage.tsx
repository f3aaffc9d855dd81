import { Button, Code, Group, Paper, Progress, Stack, Stepper, Text, TextInput } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";

import { accessApi, ownInstitution } from "../../api/access";
import { useAct } from "../../api/accessHooks";
import { useNode, useSampleActs, useSamples } from "../../api/operations";
import { loadSession, mayAt, useMay, useSession } from "../../app/session";
import { useProblem } from "../../components/access";
import { PageHead } from "../../components/PageHead";
import { Refusal } from "../../components/Refusal";
import { Fact } from "../admin/PeersPage";
import { UploadArea, UploadButtons } from "../studies/upload/UploadArea";

/** The first steps of an installation, after its first account. Each can be done again, or left out. */
export default function SetupPage() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [address, setAddress] = useSearchParams();
  const step = Math.min(2, Math.max(0, Number.parseInt(address.get("step") ?? "1", 10) - 1 || 0));
  const go = (next: number) => setAddress({ step: String(next + 1) });
  useDocumentTitle(`${t("setup.title")} · Hilum`);
  const names = ["institution", "node", "images"] as const;
  return (
    <>
      <PageHead title={t("setup.title")} text={t("setup.text")} />
      <Stepper active={step} onStepClick={go} size="sm" mb="md">
        {names.map((name) => (
          <Stepper.Step key={name} label={t(`setup.${name}.title`)} />
        ))}
      </Stepper>
      <Paper withBorder p="lg">
        {step === 0 && <Institution onDone={() => go(1)} />}
        {step === 1 && <Node />}
        {step === 2 && <Images />}
        <Group justify="space-between" mt="xl">
          <Button variant="default" disabled={step === 0} onClick={() => go(step - 1)}>{t("signIn.back")}</Button>
          {step < 2 ? (
            <Button variant={step === 0 ? "default" : "filled"} onClick={() => go(step + 1)}>{t(step === 0 ? "setup.later" : "secondFactor.next")}</Button>
          ) : (
            <Button onClick={() => void navigate("/")}>{t("setup.toList")}</Button>
          )}
        </Group>
      </Paper>
    </>
  );
}

function Institution({ onDone }: { onDone: () => void }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const session = useSession();
  const own = session.institutions.find((one) => one.code === ownInstitution) ?? session.institutions[0];
  const [name, setName] = useState(own?.name ?? "");
  const act = useAct("institutions", accessApi.addInstitution);
  const manages = own !== undefined && mayAt(session, "manage", own.code);
  if (!manages) return <Text>{t("setup.institution.notYours")}</Text>;

  function submit(event: FormEvent) {
    event.preventDefault();
    if (!own || name.trim() === "") return;
    act.mutate({ code: own.code, name: name.trim() }, { onSuccess: () => void loadSession().then(onDone) });
  }

  return (
    <form onSubmit={submit}>
      <Text mb="md">{t("setup.institution.text")}</Text>
      <Refusal text={act.isError ? problem(act.error, "manage") : null} />
      <Group align="end">
        <TextInput label={t("institutions.name")} w={320} value={name} required onChange={(event) => setName(event.currentTarget.value)} />
        <TextInput label={t("institutions.code")} w={140} value={own.code} readOnly description={t("setup.institution.code")} inputWrapperOrder={["label", "input", "description"]} />
        <Button type="submit" loading={act.isPending} disabled={name.trim() === ""}>{t("setup.institution.keep")}</Button>
      </Group>
    </form>
  );
}

function Node() {
  const { t } = useTranslation();
  const problem = useProblem();
  const node = useNode();
  return (
    <Stack>
      <Text>{t("setup.node.text")}</Text>
      {node.isError && <Refusal text={problem(node.error, "operate")} />}
      {node.data && (
        <Group gap="xl">
          <Fact name={t("admin.peers.ownTitle")} value={node.data.ae_title} />
          <Fact name={t("admin.peers.ownPlace")} value={node.data.dimse} />
          <Fact name={t("admin.peers.web")} value={`${node.data.https ? "https" : "http"}://${node.data.http}`} />
        </Group>
      )}
      <Text size="sm" c="dimmed">{t("setup.node.how")}</Text>
      <Code block>{'ae_title = "HILUM"\ndimse = "0.0.0.0:11112"\n\n[[peers]]\nae_title = "PACS"\nhost = "pacs.hospital.example"\nport = 104'}</Code>
      <Code block>hilum serve --config hilum.toml</Code>
    </Stack>
  );
}

function Images() {
  const { t } = useTranslation();
  const problem = useProblem();
  const stores = useMay("store");
  const samples = useSamples(stores);
  const acts = useSampleActs();
  if (!stores) return <Text>{t("setup.images.notYours")}</Text>;
  const view = samples.data;
  const failed = acts.make.error ?? samples.error;
  return (
    <UploadArea enabled={false}>
      <Stack gap="lg">
        <div>
          <Text fw={600}>{t("setup.images.own")}</Text>
          <Text size="sm" c="dimmed" mb="xs">{t("setup.images.ownText")}</Text>
          <Group gap="xs"><UploadButtons /></Group>
        </div>
        <div>
          <Text fw={600}>{t("setup.images.samples")}</Text>
          <Text size="sm" c="dimmed" mb="xs">{t("setup.images.samplesText")}</Text>
          <Refusal text={failed ? problem(failed, "store") : (view?.message ?? null)} />
          {view?.running ? (
            <Group>
              <Progress flex={1} animated value={(100 * view.done) / Math.max(1, view.total)} aria-label={t("setup.images.samples")} />
              <Text size="sm" role="status">{t("setup.images.made", { done: view.done, total: view.total })}</Text>
              <Button size="xs" variant="default" onClick={() => acts.cancel.mutate()}>{t("upload.cancel")}</Button>
            </Group>
          ) : (
            <Group>
              <Button variant="default" loading={acts.make.isPending} onClick={() => acts.make.mutate()}>{t("setup.images.make")}</Button>
              {view && view.done > 0 && <Text size="sm" role="status">{t("setup.images.made", { done: view.done, total: view.total })}</Text>}
            </Group>
          )}
        </div>
      </Stack>
    </UploadArea>
  );
}
