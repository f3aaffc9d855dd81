import { Alert, Anchor, Center, Grid, Loader, NavLink, Paper, Text } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";

import { chapters, loadChapter } from "./guide";

/** The user guide: written as Markdown in docs/user-guide, made into pages when the interface is built. */
export default function HelpPage() {
  const { t, i18n } = useTranslation();
  const { chapter: asked } = useParams();
  const language = i18n.language === "ko" ? "ko" : "en";
  const chapter = chapters.find((one) => one === asked) ?? chapters[0];
  const page = useQuery({ queryKey: ["guide", language, chapter], queryFn: () => loadChapter(language, chapter), staleTime: Number.POSITIVE_INFINITY });
  useDocumentTitle(`${t(`help.chapter.${chapter}`)} · Hilum`);
  return (
    <Grid>
      <Grid.Col span={{ base: 12, sm: 3 }} component="nav" aria-label={t("help.contents")}>
        {chapters.map((one) => (
          <NavLink
            key={one}
            component={Link}
            to={`/help/${one}`}
            label={t(`help.chapter.${one}`)}
            active={one === chapter}
            aria-current={one === chapter ? "page" : undefined}
          />
        ))}
        <NavLink component={Link} to="/help/api" label={t("help.api")} />
        <Text size="xs" c="dimmed" p="sm">{t("help.keys")}</Text>
      </Grid.Col>
      <Grid.Col span={{ base: 12, sm: 9 }}>
        <Paper withBorder p={{ base: "md", sm: "xl" }}>
          {page.isPending && <Center py={60}><Loader aria-label={t("form.loading")} /></Center>}
          {page.isError && <Alert color="red" role="alert">{t("problem.unreachable")}</Alert>}
          {/* Made of our own files when the interface was built; nothing of it comes from outside. */}
          {page.data && <div className="guide" dangerouslySetInnerHTML={{ __html: page.data }} />}
          {asked && !chapters.some((one) => one === asked) && (
            <Text size="sm" c="dimmed">
              {t("notFound.text")} <Anchor component={Link} to="/help">{t("nav.help")}</Anchor>
            </Text>
          )}
        </Paper>
      </Grid.Col>
    </Grid>
  );
}
