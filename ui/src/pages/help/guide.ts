/** The chapters of the user guide, in their order. */
export const chapters = ["start", "worklist", "images", "report", "upload", "retrieve", "administration"] as const;
export type Chapter = (typeof chapters)[number];

const pages = import.meta.glob<string>("../../../../docs/user-guide/*/*.md", { import: "default" });

/** A chapter as HTML. */
export async function loadChapter(language: "ko" | "en", chapter: Chapter): Promise<string> {
  const load = pages[`../../../../docs/user-guide/${language}/${chapter}.md`];
  if (!load) throw new Error(`the guide has no ${language}/${chapter}`);
  return load();
}

/** Every chapter that is there, as `ko/start`. */
export const written = Object.keys(pages).map((path) => path.replace(/^.*user-guide\//, "").replace(/\.md$/, ""));
