import { Accordion, Alert, Anchor, Badge, Center, Code, Group, Loader, Stack, Table, Text, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { request } from "../../api/http";
import { PageHead } from "../../components/PageHead";
import { type Document, grouped, type Operation, operationsOf, type Schema, shapeOf } from "./openapi";

const colours: Record<string, string> = { GET: "hilum", POST: "blue", PUT: "orange", PATCH: "orange", DELETE: "red" };

/** What programs may ask of the server, out of the very document that it serves. */
export default function ApiPage() {
  const { t } = useTranslation();
  const [wanted, setWanted] = useState("");
  const document = useQuery({ queryKey: ["openapi"], queryFn: () => request<Document>("/api/v1/openapi.json"), staleTime: Number.POSITIVE_INFINITY });
  const all = document.data ? operationsOf(document.data) : [];
  const word = wanted.trim().toLowerCase();
  const shown = all.filter((one) => `${one.method} ${one.path} ${one.summary}`.toLowerCase().includes(word));
  return (
    <>
      <PageHead title={t("help.api")} text={t("help.apiText")}>
        <TextInput w={280} aria-label={t("help.find")} placeholder={t("help.find")} value={wanted} onChange={(event) => setWanted(event.currentTarget.value)} />
      </PageHead>
      <Text size="sm" mb="md">
        {t("help.apiHow")} <Anchor href="/api/v1/openapi.json" size="sm" td="underline">openapi.json</Anchor>
      </Text>
      <Code block mb="md">{'curl -H "Authorization: Bearer hilum_..." http://127.0.0.1:8080/api/v1/system'}</Code>
      {document.isPending && <Center py={60}><Loader aria-label={t("form.loading")} /></Center>}
      {document.isError && <Alert color="red" role="alert">{t("problem.unreachable")}</Alert>}
      {document.isSuccess && shown.length === 0 && <Text c="dimmed">{t("studies.noMatch", { text: wanted })}</Text>}
      <Stack>
        {grouped(shown).map(([group, operations]) => (
          <section key={group} aria-label={group}>
            <Text fw={650} mb={4}>{group}</Text>
            <Accordion variant="contained" chevronPosition="left" order={2}>
              {operations.map((one) => (
                <Accordion.Item key={one.id} value={one.id}>
                  <Accordion.Control>
                    <Group gap="xs">
                      <Badge variant="light" color={colours[one.method] ?? "gray"} w={70}>{one.method}</Badge>
                      <Code>{one.path}</Code>
                      <Text size="sm">{one.summary}</Text>
                    </Group>
                  </Accordion.Control>
                  <Accordion.Panel>
                    <Details one={one} schemas={document.data?.components.schemas ?? {}} />
                  </Accordion.Panel>
                </Accordion.Item>
              ))}
            </Accordion>
          </section>
        ))}
      </Stack>
    </>
  );
}

function Details({ one, schemas }: { one: Operation; schemas: Record<string, Schema> }) {
  const { t } = useTranslation();
  return (
    <Stack gap="xs">
      <Text size="sm">{t("help.needs")}: <Badge size="sm" variant="outline">{one.needs}</Badge></Text>
      {one.parameters.length > 0 && (
        <Table fz="xs">
          <Table.Thead>
            <Table.Tr><Table.Th>{t("help.parameter")}</Table.Th><Table.Th>{t("help.where")}</Table.Th><Table.Th>{t("help.type")}</Table.Th><Table.Th>{t("help.meaning")}</Table.Th></Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {one.parameters.map((parameter) => (
              <Table.Tr key={`${parameter.in} ${parameter.name}`}>
                <Table.Td><Code>{parameter.name}</Code>{parameter.required ? " *" : ""}</Table.Td>
                <Table.Td>{parameter.in}</Table.Td>
                <Table.Td>{shapeOf(parameter.schema, schemas, 1)}</Table.Td>
                <Table.Td>{parameter.description}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {one.bodies.map(([type, schema]) => (
        <div key={type}>
          <Text size="xs" c="dimmed">{t("help.body")} · {type}</Text>
          <Code block>{shapeOf(schema, schemas, 3)}</Code>
        </div>
      ))}
      {one.answers.map(({ status, description, content }) => (
        <div key={status}>
          <Text size="xs"><Badge size="xs" variant="light" color={status.startsWith("2") ? "hilum" : "gray"}>{status}</Badge> {description}</Text>
          {status.startsWith("2") && content.map(([type, schema]) => (
            <Code block key={type} mt={4}>{`${type}\n${shapeOf(schema, schemas, 3)}`}</Code>
          ))}
        </div>
      ))}
    </Stack>
  );
}
