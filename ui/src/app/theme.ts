import { Badge, createTheme, type MantineColorsTuple } from "@mantine/core";

const hilum: MantineColorsTuple = [
  "#e8f7f6", "#d3ecea", "#a5d9d5", "#74c5bf", "#4cb4ac", "#32a9a1", "#1f918b", "#107b77", "#0b6e75", "#05555b",
];

export const fonts = "'Inter Variable', 'Noto Sans KR Variable', sans-serif";

export const theme = createTheme({
  colors: { hilum },
  primaryColor: "hilum",
  primaryShade: 8,
  fontFamily: fonts,
  fontFamilyMonospace: "ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', 'Noto Sans KR Variable', monospace",
  headings: { fontFamily: fonts, fontWeight: "650" },
  defaultRadius: "md",
  cursorType: "pointer",
  components: { Badge: Badge.extend({ defaultProps: { tt: "none" } }) },
});
