import { useTranslation } from "react-i18next";

import type { Interval, Note, PatientView, Statement, Stone } from "../api/types";

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

/** Statements that stand with the options of guidelines. */
export const aboutOptions: ReadonlySet<string> = new Set(["options_are_no_order", "options_are_for_adults"]);

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

/** Where a stone lies, as finely as that was determined. */
export function usePlace(): (stone: Stone) => string {
  const { t } = useTranslation();
  const coarse = new Set(["kidney", "ureter", "bladder"]);
  return (stone) => {
    const side = t(`side.${stone.side}`);
    if (!stone.site || coarse.has(stone.site.site)) return `${side} ${t(`part.${stone.part}`)}`;
    return `${side} ${t(`stoneSite.${stone.site.site}`)}`;
  };
}

/** A value with the interval that holds it in 95 % of cases: "7.2 (6.8–7.6)". */
export function within(value: number | null | undefined, interval: Interval | null | undefined): string {
  const range = interval ? ` (${interval.low.toFixed(1)}–${interval.high.toFixed(1)})` : "";
  return millimetres(value) + range;
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
