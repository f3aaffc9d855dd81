import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import type { StudyDetail } from "../../api/types";
import { worklistApi } from "../../api/worklist";

interface Props {
  study: StudyDetail;
  shown: string | null;
  onShow: (studyUid: string | null) => void;
}

/** Other studies of the same patient, to be looked at beside this one. */
export function PriorChoice({ study, shown, onShow }: Props) {
  const { t } = useTranslation();
  const { id } = study.patient;
  const found = useQuery({
    queryKey: ["studiesOfPatient", id],
    queryFn: () => worklistApi.search({ text: id, limit: 50 }),
    enabled: id !== "",
    staleTime: 60_000,
  });
  const others = (found.data?.items ?? []).filter((one) => one.patient.id === id && one.study_uid !== study.study_uid);
  if (others.length === 0) return null;
  return (
    <NativeSelect
      size="xs"
      w={200}
      aria-label={t("viewer.prior.title")}
      value={shown ?? ""}
      onChange={({ currentTarget: { value } }) => onShow(value === "" ? null : value)}
      data={[
        { value: "", label: t("viewer.prior.none") },
        ...others.map((one) => ({ value: one.study_uid, label: [one.study_date, one.description].filter(Boolean).join(" · ") })),
      ]}
    />
  );
}
