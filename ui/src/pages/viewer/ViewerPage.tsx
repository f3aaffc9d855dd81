import "./viewer.css";

import { Alert, Button, Center, Loader, Stack, Text } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useTranslation } from "react-i18next";
import { Link, useParams } from "react-router";

import { useStudy } from "../../api/hooks";
import { ApiError } from "../../api/http";
import { useProblem } from "../../components/access";
import { StudyViewer } from "./StudyViewer";
import { useViewer } from "./useViewer";

/** The images of a study. */
export default function ViewerPage() {
  const { t } = useTranslation();
  useDocumentTitle(`${t("viewer.title")} · Hilum`);
  const problem = useProblem();
  const { studyUid = "" } = useParams();
  const study = useStudy(studyUid);
  const viewer = useViewer();
  if (study.isError && !study.data) {
    const absent = study.error instanceof ApiError && study.error.status === 404;
    return (
      <Center mih="100dvh" p="md">
        <Alert color={absent ? "yellow" : "red"} title={t(absent ? "report.notFound" : "report.failed")} maw={560} role="alert">
          <Stack gap="sm" align="start">
            <Text size="sm">{absent ? t("report.notFoundHelp") : problem(study.error, "view")}</Text>
            <Button component={Link} to="/" size="xs" variant="default">
              {t("report.back")}
            </Button>
          </Stack>
        </Alert>
      </Center>
    );
  }
  if (!study.data || !viewer) {
    return (
      <Center mih="100dvh">
        <Loader aria-label={t("form.loading")} />
      </Center>
    );
  }
  return <StudyViewer key={studyUid} study={study.data} viewer={viewer} />;
}
