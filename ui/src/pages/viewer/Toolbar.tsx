import { ActionIcon, Divider, Group, NativeSelect, NumberInput, SegmentedControl, Tooltip } from "@mantine/core";
import { type KeyboardEvent, memo, type SyntheticEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { type Action, type Hotkeys, keyName } from "../../viewer/hotkeys";
import { isPreset, presetNames, presetOf, presets } from "../../viewer/presets";
import { type Slab, slabs, type Tool } from "../../viewer/state";
import type { Viewer } from "../../viewer/Viewer";
import { Icon, type IconName } from "./icons";
import { useViewerState } from "./useViewer";

interface Props {
  viewer: Viewer;
  hotkeys: Hotkeys;
  /** Tools that there is something to do with here. */
  tools: readonly Tool[];
  /** Whether a study beside is scrolled together with this one; left out where there is none. */
  linked?: boolean;
  onLink?: () => void;
  onHelp: () => void;
}

/** The tools of the viewer, each with the key that does the same. */
export const Toolbar = memo(function Toolbar({ viewer, hotkeys, tools, linked, onLink, onHelp }: Props) {
  const { t } = useTranslation();
  const state = useViewerState(viewer, "series", "tool", "window", "layout", "slab", "slabMm", "visible", "overlay", "brushMm");
  const reslices = viewer.canReslice(state.series);
  const ct = state.series?.modality === "CT" || state.series === null;
  const button = (name: IconName, action: Action, label: string, on: () => void, pressed?: boolean, disabled = false) => (
    <ActionIcon
      key={action}
      size="lg"
      variant={pressed ? "filled" : "default"}
      aria-label={label}
      aria-keyshortcuts={hotkeys[action]}
      data-hint={`${label} (${keyName(hotkeys[action])})`}
      {...(pressed !== undefined && { "aria-pressed": pressed })}
      disabled={disabled}
      onClick={on}
    >
      <Icon name={name} />
    </ActionIcon>
  );
  const hint = useHint();
  const paints = state.tool === "brush" || state.tool === "eraser";
  const preset = state.window && presetOf(state.window);
  return (
    <Group gap={6} className="viewer-bar" role="toolbar" aria-label={t("viewer.tools")} wrap="wrap" {...hint.of}>
      {hint.on && <Tooltip target={hint.on} label={hint.on.dataset.hint} opened />}
      {tools.map((tool) => button(tool, tool, t(`viewer.tool.${tool}`), () => viewer.setTool(tool), state.tool === tool))}
      {paints && (
        <NumberInput
          size="xs"
          w={92}
          aria-label={t("viewer.brush.size")}
          min={0.5}
          max={30}
          step={0.5}
          suffix=" mm"
          value={state.brushMm}
          onChange={(value) => typeof value === "number" && value >= 0.5 && viewer.setBrush(value)}
        />
      )}
      <Divider orientation="vertical" />
      {ct && (
        <NativeSelect
          size="xs"
          w={190}
          aria-label={t("viewer.preset.title")}
          value={preset ?? ""}
          onChange={({ currentTarget: { value } }) => isPreset(value) && viewer.setWindow({ ...presets[value] })}
          data={[
            { value: "", label: t("viewer.preset.own"), disabled: true },
            ...presetNames.map((name) => ({
              value: name,
              label: `${keyName(hotkeys[name])}  ${t(`viewer.preset.${name}`)} ${presets[name].width}/${presets[name].centre}`,
            })),
          ]}
        />
      )}
      <SegmentedControl
        size="xs"
        aria-label={t("viewer.layout.title")}
        value={state.layout}
        onChange={(value) => viewer.setLayout(value === "mpr" ? "mpr" : "stack")}
        data={[
          { value: "stack", label: t("viewer.layout.stack") },
          { value: "mpr", label: t("viewer.layout.mpr"), disabled: !reslices },
        ]}
      />
      {state.layout === "mpr" && (
        <>
          <NativeSelect
            size="xs"
            aria-label={t("viewer.slab.title")}
            value={state.slab}
            onChange={({ currentTarget: { value } }) => viewer.setSlab((slabs as readonly string[]).includes(value) ? (value as Slab) : "none")}
            data={slabs.map((slab) => ({ value: slab, label: t(`viewer.slab.name.${slab}`) }))}
          />
          {state.slab !== "none" && (
            <NumberInput
              size="xs"
              w={88}
              aria-label={t("viewer.slab.thickness")}
              min={1}
              max={100}
              suffix=" mm"
              value={state.slabMm}
              onChange={(value) => typeof value === "number" && value >= 1 && viewer.setSlab(state.slab, value)}
            />
          )}
        </>
      )}
      <Divider orientation="vertical" />
      {button(state.visible ? "visible" : "hidden", "visible", t("viewer.visible"), () => viewer.set({ visible: !state.visible }), state.visible)}
      {button("information", "overlay", t("viewer.overlay"), () => viewer.set({ overlay: !state.overlay }), state.overlay)}
      {onLink && button("link", "link", t("viewer.prior.link"), onLink, linked === true)}
      {button("reset", "reset", t("viewer.reset"), () => viewer.reset())}
      {button("keys", "help", t("viewer.keys.title"), onHelp)}
    </Group>
  );
});

/** One hint for all tools, on whichever the pointer or the focus is: one for each would be a third of what it takes to show the bar. */
function useHint() {
  const [on, setOn] = useState<HTMLElement | null>(null);
  const show = ({ target }: SyntheticEvent) => setOn((target as Element).closest<HTMLElement>("[data-hint]"));
  const hide = () => setOn(null);
  return { on, of: { onPointerOver: show, onFocus: show, onPointerLeave: hide, onBlur: hide, onKeyDown: (event: KeyboardEvent) => event.key === "Escape" && hide() } };
}
