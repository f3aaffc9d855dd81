import { Button, Group, Stack, Text } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { type Location, useBlocker } from "react-router";

import { Dialog } from "../../../components/Dialog";

/** Another page, or another version of the report. The rest of an address follows what is looked at. */
function leaves(from: Location, to: Location): boolean {
  const version = ({ search }: Location) => new URLSearchParams(search).get("version");
  return from.pathname !== to.pathname || version(from) !== version(to);
}

/** Asks before something that is written and not kept is left, by a link, by the browser's back, or by closing and reloading. */
export function LeaveGuard({ when }: { when: boolean }) {
  const { t } = useTranslation();
  const blocker = useBlocker(({ currentLocation, nextLocation }) => when && leaves(currentLocation, nextLocation));
  useEffect(() => {
    if (!when) return undefined;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [when]);
  const { state, reset } = blocker;
  // It was kept meanwhile: there is nothing to ask any more.
  useEffect(() => {
    if (state === "blocked" && !when) reset();
  }, [state, when, reset]);
  return (
    <Dialog opened={state === "blocked"} onClose={() => reset?.()} title={t("review.leave.title")}>
      <Stack>
        <Text size="sm">{t("review.leave.text")}</Text>
        <Group justify="end" gap="xs">
          <Button variant="default" color="red" onClick={() => blocker.proceed?.()}>
            {t("review.leave.go")}
          </Button>
          <Button data-autofocus onClick={() => reset?.()}>
            {t("review.leave.stay")}
          </Button>
        </Group>
      </Stack>
    </Dialog>
  );
}
