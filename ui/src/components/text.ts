import { useTranslation } from "react-i18next";

import type { Note, PatientView } from "../api/types";

/** A person name for reading: `^` becomes a space (PS3.5 6.2.1). */
export function displayName(name: string): string {
  return name.replaceAll("^", " ").replace(/\s+/g, " ").trim();
}

const hangul = /\p{Script=Hangul}/u;

/**
 * The name by which a reader of a language calls the patient, and the other groups beside it:
 * in Korean the hangul group comes first where one was sent (PS3.5 Annex I), a family name directly before the given name.
 */
export function patientName(patient: PatientView, language: string): { main: string; beside: string } {
  const groups = [patient.name, patient.name_ideographic ?? "", patient.name_phonetic ?? ""]
    .map((group) => (hangul.test(group) ? displayName(group).replaceAll(" ", "") : displayName(group)))
    .filter((group) => group !== "");
  const korean = language === "ko" ? groups.find((group) => hangul.test(group)) : undefined;
  const main = korean ?? groups[0] ?? "";
  return { main, beside: groups.filter((group) => group !== main).join(" · ") };
}

/** The patient's sex in words, where it is one that has any (PS3.3 C.7.1.1). */
export function useSex(): (patient: PatientView) => string {
  const { t } = useTranslation();
  return ({ sex }) => (sex === "M" || sex === "F" || sex === "O" ? t(`sex.${sex}`) : "");
}

/** A note in the interface's language where the code is known, else as the server says it. */
export function useNote(): (note: Note) => string {
  const { t } = useTranslation();
  return (note) => t(`notes.${note.code}`, { defaultValue: note.text });
}

/** A length in mm with one decimal, or a dash. */
export function millimetres(value: number | null | undefined): string {
  return value == null ? "–" : value.toFixed(1);
}

/** A score with so many decimals, cut and not rounded: what is below a threshold never looks as if it reached it, and only a whole 1 is 1. */
export function scoreText(value: number, decimals = 2): string {
  const scale = 10 ** decimals;
  // The small part takes back what a binary fraction lost: 0.29 * 100 is 28.999...
  return (Math.floor(value * scale + 1e-9) / scale).toFixed(decimals);
}
