import { Alert, Center, Loader, Paper, Table, Text, VisuallyHidden } from "@mantine/core";
import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import type { Permission } from "../api/access";
import { useProblem } from "./access";

interface Props {
  query: Pick<UseQueryResult, "isPending" | "isError" | "error">;
  needs?: Permission;
  columns: string[];
  /** What to say when there is no row. */
  empty: ReactNode;
  /** The last column holds what can be done with a row. */
  acts?: boolean;
  minWidth?: number;
  children: ReactNode[];
}

/** A table whose rows come from the server: loading, failed, empty, or there. */
export function TableCard({ query, needs, columns, empty, acts = false, minWidth = 720, children }: Props) {
  const { t } = useTranslation();
  const problem = useProblem();
  return (
    <Paper withBorder style={{ overflow: "hidden" }}>
      {query.isPending && (
        <Center py={60}>
          <Loader aria-label={t("form.loading")} />
        </Center>
      )}
      {query.isError && (
        <Alert color="red" role="alert">
          {problem(query.error, needs)}
        </Alert>
      )}
      {!query.isPending && !query.isError && children.length === 0 && (
        <Text c="dimmed" ta="center" py={60} px="md">
          {empty}
        </Text>
      )}
      {children.length > 0 && (
        <Table.ScrollContainer minWidth={minWidth} type="native" tabIndex={0}>
          <Table verticalSpacing="sm" horizontalSpacing="md">
            <Table.Thead>
              <Table.Tr>
                {columns.map((column) => (
                  <Table.Th key={column}>{column}</Table.Th>
                ))}
                {acts && (
                  <Table.Th>
                    <VisuallyHidden>{t("form.acts")}</VisuallyHidden>
                  </Table.Th>
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>{children}</Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Paper>
  );
}
