import { Box, Button, Group, Text } from "@mantine/core";
import { type DragEvent, type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { chosenFiles, droppedFiles, type Item } from "../../../api/stow";
import { uploads } from "./queue";

/** Files, folders and zips dropped here, or chosen, are stored, by those who may send. What stands `beside` its buttons is for everybody. */
export function UploadArea({ enabled, beside, children }: { enabled: boolean; beside?: ReactNode; children: ReactNode }) {
  const { t } = useTranslation();
  const [over, setOver] = useState(false);

  async function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    if (enabled) begin(await droppedFiles(event.dataTransfer));
  }

  return (
    <Box
      className={over ? "dropping" : ""}
      onDragOver={(event) => {
        event.preventDefault();
        // What may not be dropped must not be opened by the browser in this page's place either.
        if (enabled) setOver(true);
        else event.dataTransfer.dropEffect = "none";
      }}
      onDragLeave={(event) => event.currentTarget.contains(event.relatedTarget as Node | null) || setOver(false)}
      onDrop={(event) => void drop(event)}
    >
      {children}
      {(enabled || beside) && (
        <Group mt="sm" gap="xs" className="no-print">
          {enabled && <UploadButtons />}
          {enabled && <Text size="xs" c="dimmed">{t("upload.hint")}</Text>}
          {beside}
        </Group>
      )}
    </Box>
  );
}

function begin(items: Item[]) {
  if (items.length > 0) void uploads.add(items);
}

/** The browser's own dialogs, for whoever does not drag. */
export function UploadButtons() {
  const { t } = useTranslation();
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const chosen = (input: HTMLInputElement) => {
    if (input.files) begin(chosenFiles(input.files));
    input.value = "";
  };
  return (
    <>
      <input ref={files} type="file" multiple hidden aria-hidden tabIndex={-1} data-testid="files" onChange={(event) => chosen(event.currentTarget)} />
      <input
        ref={(input) => {
          folder.current = input;
          input?.setAttribute("webkitdirectory", "");
        }}
        type="file"
        multiple
        hidden
        aria-hidden
        tabIndex={-1}
        onChange={(event) => chosen(event.currentTarget)}
      />
      <Button size="xs" variant="default" onClick={() => files.current?.click()}>{t("upload.files")}</Button>
      <Button size="xs" variant="default" onClick={() => folder.current?.click()}>{t("upload.folder")}</Button>
    </>
  );
}
