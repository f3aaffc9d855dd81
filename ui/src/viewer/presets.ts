/** Windows in HU. The first two are those of the papers: urinary stones, liver. */
export const presets = {
  stone: { width: 400, centre: 60 },
  liver: { width: 150, centre: 30 },
  lung: { width: 1500, centre: -600 },
  bone: { width: 1800, centre: 400 },
  brain: { width: 80, centre: 40 },
} as const;

export type Preset = keyof typeof presets;
export const presetNames = Object.keys(presets) as Preset[];

export interface Window {
  width: number;
  centre: number;
}

export const isPreset = (text: string | null): text is Preset => text !== null && Object.hasOwn(presets, text);

/** The preset that a window is. */
export function presetOf({ width, centre }: Window): Preset | null {
  return presetNames.find((name) => presets[name].width === width && presets[name].centre === centre) ?? null;
}
