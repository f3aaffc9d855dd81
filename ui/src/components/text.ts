import { useTranslation } from "react-i18next";

import type { Note, Statement } from "../api/types";

/** A person name for reading: `^` becomes a space (PS3.5 6.2.1). */
export function displayName(name: string): string {
  return name.replaceAll("^", " ").replace(/\s+/g, " ").trim();
}

/** A statement in the interface's language. */
export function useStatement(): (statement: Statement) => string {
  const { i18n } = useTranslation();
  return (statement) => (i18n.language === "ko" ? statement.ko : statement.en);
}

/** A note in the interface's language where the code is known, else as the server says it. */
export function useNote(): (note: Note) => string {
  const { t } = useTranslation();
  return (note) => t(`notes.${note.code}`, { defaultValue: note.text });
}

/** A length in mm with one decimal, or a dash. */
export function millimetres(value: number | null): string {
  return value === null ? "–" : value.toFixed(1);
}
