import { Alert, Badge, Button, Center, Checkbox, Group, NativeSelect, Paper, Stack, Table, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";

import { operationsApi, useNode, useRetrieve } from "../../api/operations";
import type { PeerMatches, PeerSearch, PeerStudy } from "../../api/types";
import { useProblem } from "../../components/access";
import { PageHead } from "../../components/PageHead";
import { Refusal } from "../../components/Refusal";
import { TableCard } from "../../components/TableCard";
import { patientName } from "../../components/text";
import { EchoTest } from "../admin/PeersPage";
import { Retrievals } from "./Retrievals";

const nothing = { patient_id: "", name: "", from: "", to: "", modality: "", description: "", accession: "" };

/** What is asked, without what was left empty. */
function searchOf(typed: typeof nothing): PeerSearch {
  return Object.fromEntries(Object.entries(typed).map(([key, value]) => [key, value.trim()]).filter(([, value]) => value !== ""));
}

/** Names come with their groups separated by `=` (PS3.5 6.2.1). */
function nameOf(study: PeerStudy, language: string): string {
  const [name = "", name_ideographic = null, name_phonetic = null] = study.name.split("=");
  const { main, beside } = patientName({ name, name_ideographic, name_phonetic, id: "", sex: "", birth_date: "" }, language);
  return [main, beside].filter(Boolean).join(" · ");
}

const dateOf = (date: string) => (/^\d{8}$/.test(date) ? `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}` : date);

/** Looks for studies at peers, and fetches them. What is looked for stays in this page's memory. */
export default function RetrievePage() {
  const { t, i18n } = useTranslation();
  const problem = useProblem();
  const node = useNode();
  const peers = node.data?.peers ?? [];
  const [chosen, setChosen] = useState("");
  const peer = peers.some((one) => one.ae_title === chosen) ? chosen : (peers[0]?.ae_title ?? "");
  const [typed, setTyped] = useState(nothing);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const { begin } = useRetrieve();
  const search = useMutation({
    mutationFn: ({ title, asked }: { title: string; asked: PeerSearch }) => operationsApi.search(title, asked),
    onSuccess: () => setPicked(new Set()),
  });
  const found: PeerMatches | undefined = search.data;
  const set = (name: keyof typeof nothing) => (value: string) => setTyped((before) => ({ ...before, [name]: value }));
  const asked = searchOf(typed);
  const pick = (uid: string, on: boolean) =>
    setPicked((before) => {
      const next = new Set(before);
      if (on) next.add(uid);
      else next.delete(uid);
      return next;
    });

  function submit(event: FormEvent) {
    event.preventDefault();
    search.mutate({ title: peer, asked });
  }

  if (node.isSuccess && peers.length === 0) {
    return (
      <>
        <PageHead title={t("nav.retrieve")} text={t("retrieve.text")} />
        <Paper withBorder p="xl">
          <Stack align="center" gap="xs">
            <Text fw={600}>{t("retrieve.noPeers")}</Text>
            <Text c="dimmed" ta="center" maw={560}>{t("admin.peers.how")}</Text>
            <Button component={Link} to="/admin/peers" variant="default">{t("nav.peers")}</Button>
          </Stack>
        </Paper>
      </>
    );
  }
  const field = (name: keyof typeof nothing, label: string, more: Record<string, unknown> = {}) => (
    <TextInput label={label} value={typed[name]} autoComplete="off" spellCheck={false} onChange={(event) => set(name)(event.currentTarget.value)} {...more} />
  );
  return (
    <>
      <PageHead title={t("nav.retrieve")} text={t("retrieve.text")} />
      {node.isError && <Alert color="red" role="alert" mb="md">{problem(node.error, "operate")}</Alert>}
      <Paper withBorder p="md" mb="md" component="form" onSubmit={submit} role="search">
        <Group align="end" mb="sm">
          <NativeSelect
            label={t("admin.peer")}
            value={peer}
            onChange={(event) => setChosen(event.currentTarget.value)}
            data={peers.map((one) => ({ value: one.ae_title, label: `${one.ae_title} (${one.host}:${one.port})` }))}
          />
          {peer && <EchoTest key={peer} title={peer} />}
        </Group>
        <Group align="end" gap="sm">
          {field("name", t("worklist.name"), { w: 170, maxLength: 64 })}
          {field("patient_id", t("worklist.column.patientId"), { w: 140, maxLength: 64 })}
          {field("accession", t("retrieve.accession"), { w: 140, maxLength: 16 })}
          {field("from", t("audit.from"), { type: "date", w: 150, max: typed.to || undefined })}
          {field("to", t("audit.to"), { type: "date", w: 150, min: typed.from || undefined })}
          {field("modality", t("worklist.column.modality"), { w: 100, maxLength: 16 })}
          {field("description", t("worklist.column.description"), { w: 180, maxLength: 64 })}
          <Button type="submit" loading={search.isPending} disabled={Object.keys(asked).length === 0 || !peer}>{t("retrieve.search")}</Button>
        </Group>
        <Text size="xs" c="dimmed" mt="xs">{t("retrieve.hint")}</Text>
        <Refusal text={search.isError ? problem(search.error, "store") : null} />
      </Paper>
      {(found || search.isPending) && (
        <>
          {found?.more && <Alert color="yellow" mb="sm" p="xs">{t("retrieve.more", { count: found.studies.length })}</Alert>}
          <TableCard
            query={{ isPending: search.isPending, isError: false, error: null }}
            columns={["", t("worklist.column.patient"), t("worklist.column.patientId"), t("worklist.column.date"), t("worklist.column.modality"), t("worklist.column.description"), t("worklist.column.images")]}
            empty={t("retrieve.nothing")}
            minWidth={860}
          >
            {(found?.studies ?? []).map((study) => (
              <Table.Tr key={study.study_uid}>
                <Table.Td>
                  <Checkbox
                    aria-label={t("retrieve.pick", { name: nameOf(study, i18n.language) })}
                    checked={picked.has(study.study_uid)}
                    onChange={(event) => pick(study.study_uid, event.currentTarget.checked)}
                  />
                </Table.Td>
                <Table.Td fw={600}>{nameOf(study, i18n.language) || t("studies.nameless")}</Table.Td>
                <Table.Td>{study.patient_id}</Table.Td>
                <Table.Td>{dateOf(study.study_date)}</Table.Td>
                <Table.Td>{study.modalities.join(", ")}</Table.Td>
                <Table.Td>{study.description} {study.here && <Badge size="xs" variant="light">{t("retrieve.here")}</Badge>}</Table.Td>
                <Table.Td>{study.instances ?? "–"}</Table.Td>
              </Table.Tr>
            ))}
          </TableCard>
          {found && found.studies.length > 0 && (
            <Center mt="sm" mb="md">
              <Button
                disabled={picked.size === 0 || picked.size > 100}
                loading={begin.isPending}
                onClick={() => begin.mutate({ peer, studies: [...picked] }, { onSuccess: () => setPicked(new Set()) })}
              >
                {t("retrieve.fetch", { count: picked.size })}
              </Button>
            </Center>
          )}
          <Refusal text={begin.isError ? problem(begin.error, "store") : null} />
        </>
      )}
      <Retrievals />
    </>
  );
}
