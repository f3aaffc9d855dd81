import { useTranslation } from "react-i18next";

import type { Interval, Statement, Stone } from "../api/types";
import { millimetres } from "./text";

/** Statements that stand with the options of guidelines. */
export const aboutOptions: ReadonlySet<string> = new Set(["options_are_no_order", "options_are_for_adults"]);

/** A statement in the interface's language. */
export function useStatement(): (statement: Statement) => string {
  const { i18n } = useTranslation();
  return (statement) => (i18n.language === "ko" ? statement.ko : statement.en);
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
