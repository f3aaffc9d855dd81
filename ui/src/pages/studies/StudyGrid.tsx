import { Button, Loader, UnstyledButton } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, type Ref, useEffect, useImperativeHandle, useRef } from "react";
import { useTranslation } from "react-i18next";

import type { StudySummary, WorkOrder, WorkSort } from "../../api/types";
import { StudyRow } from "./StudyRow";
import { nextSort } from "./view";

/** All rows are as high as this: nothing jumps when one changes. */
const rowHeight = 52;

const columns: readonly { name: string; by: WorkOrder | null }[] = [
  { name: "priority", by: "priority" },
  { name: "patient", by: "name" },
  { name: "patientId", by: "patient_id" },
  { name: "date", by: "date" },
  { name: "modality", by: "modality" },
  { name: "description", by: "description" },
  { name: "images", by: null },
  { name: "reading", by: "stones" },
  { name: "state", by: "workflow" },
];

interface Props {
  ref: Ref<HTMLDivElement>;
  rows: StudySummary[];
  sort: WorkSort;
  onSort: (sort: WorkSort) => void;
  selected: string | null;
  onSelect: (uid: string | null) => void;
  onOpen: (uid: string) => void;
  onReport: (uid: string) => void;
  more: boolean;
  loadingMore: boolean;
  /** The rows after these were asked for and did not come. */
  moreFailed: boolean;
  onMore: () => void;
}

export const rowId = (uid: string) => `study-${uid}`;

/** The rows of the list: only those in sight are there, however many there are. */
export function StudyGrid({ ref, rows, sort, onSort, selected, onSelect, onOpen, onReport, more, loadingMore, moreFailed, onMore }: Props) {
  const { t } = useTranslation();
  const scroll = useRef<HTMLDivElement>(null);
  const grid = useRef<HTMLDivElement>(null);
  useImperativeHandle(ref, () => grid.current as HTMLDivElement);
  // The compiler's rule of hooks does not concern this library: it hands out functions that change.
  const virtual = useVirtualizer({
    count: rows.length + (more ? 1 : 0),
    getScrollElement: () => scroll.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    initialRect: { width: 1200, height: 800 },
  });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && !loadingMore && !moreFailed && last >= rows.length - 20) onMore();
  }, [more, loadingMore, moreFailed, last, rows.length, onMore]);
  const at = rows.findIndex((row) => row.study_uid === selected);

  function go(to: number) {
    const row = rows[Math.max(0, Math.min(to, rows.length - 1))];
    if (!row) return;
    onSelect(row.study_uid);
    virtual.scrollToIndex(rows.indexOf(row));
  }

  function key(event: KeyboardEvent) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor((scroll.current?.clientHeight ?? 600) / rowHeight) - 2);
    const act = {
      ArrowDown: () => go(at + 1),
      ArrowUp: () => go(at < 0 ? 0 : at - 1),
      PageDown: () => go(at + page),
      PageUp: () => go(at - page),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      Enter: () => (selected === null ? go(0) : onOpen(selected)),
      r: () => selected !== null && onReport(selected),
      Escape: () => onSelect(null),
    }[event.key];
    if (!act || event.target !== grid.current) return;
    event.preventDefault();
    act();
  }

  return (
    <div
      ref={grid}
      className="grid"
      role="grid"
      tabIndex={0}
      aria-label={t("studies.title")}
      aria-describedby="worklist-keys"
      aria-activedescendant={at >= 0 ? rowId(selected ?? "") : undefined}
      aria-rowcount={more ? -1 : rows.length + 1}
      aria-colcount={columns.length}
      onKeyDown={key}
    >
      <span hidden id="worklist-keys">{t("worklist.keys")}</span>
      <div ref={scroll} className="grid-scroll">
        <div className="grid-head" role="row" aria-rowindex={1}>
          {columns.map(({ name, by }) => (
            <div
              key={name}
              role="columnheader"
              {...(by && { "aria-sort": sort.by === by ? (sort.descending ? "descending" : "ascending") : "none" })}
            >
              {by ? (
                <UnstyledButton className="grid-sort" onClick={() => onSort(nextSort(sort, by))}>
                  {t(`worklist.column.${name}`)}
                  <span aria-hidden className="grid-way">{sort.by === by ? (sort.descending ? "▼" : "▲") : ""}</span>
                </UnstyledButton>
              ) : (
                t(`worklist.column.${name}`)
              )}
            </div>
          ))}
        </div>
        <div role="rowgroup" className="grid-body" style={{ height: virtual.getTotalSize() }}>
          {shown.map((item) => {
            const row = rows[item.index];
            if (!row) {
              return (
                <div key="more" className="grid-more" style={{ transform: `translateY(${item.start}px)` }}>
                  {moreFailed ? (
                    <Button size="compact-xs" variant="default" loading={loadingMore} onClick={onMore}>{t("studies.again")}</Button>
                  ) : (
                    <Loader size="sm" aria-label={t("studies.loading")} />
                  )}
                </div>
              );
            }
            return (
              <StudyRow
                key={row.study_uid}
                study={row}
                index={item.index}
                top={item.start}
                selected={row.study_uid === selected}
                onSelect={onSelect}
                onOpen={onOpen}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}
