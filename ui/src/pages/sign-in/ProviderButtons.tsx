import { Button, Divider, Stack } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { sessionApi } from "../../api/access";
import { useProviders } from "../../api/accessHooks";
import { useProblem } from "../../components/access";
import { Refusal } from "../../components/Refusal";

/** Paths that the server sends a browser back to. */
const plainPath = /^\/[A-Za-z0-9._/-]*$/;

/** The other ways in: a button for each provider. `returns`: the page that is opened afterwards. */
export function ProviderButtons({ returns }: { returns: string }) {
  const { t } = useTranslation();
  const problem = useProblem();
  const providers = useProviders();
  const [going, setGoing] = useState<string | null>(null);
  const [failure, setFailure] = useState<unknown>(null);

  async function go(provider: string) {
    setGoing(provider);
    setFailure(null);
    try {
      const { location } = await sessionApi.goTo(provider, plainPath.test(returns) ? returns : "/");
      window.location.assign(location);
    } catch (error) {
      setFailure(error);
      setGoing(null);
    }
  }

  if (!providers.data?.length) return null;
  return (
    <Stack gap="sm" mt="lg">
      <Divider label={t("signIn.or")} />
      <Refusal text={failure === null ? null : problem(failure)} />
      {providers.data.map(({ id, name }) => (
        <Button key={id} variant="default" fullWidth loading={going === id} onClick={() => void go(id)}>
          {t("signIn.by", { name })}
        </Button>
      ))}
    </Stack>
  );
}
