import { Button, Modal, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";

import type { Session } from "../api/access";
import { ProviderButtons } from "../pages/sign-in/ProviderButtons";
import { SignInForm } from "../pages/sign-in/SignInForm";
import { beginSession, endSession } from "./session";

/**
 * Asks the one whose session has ended to sign in again. The page stays as it is below, out of sight: whoever stands before the
 * machine now may not be the one who opened it.
 */
export function SessionEnded({ session }: { session: Session | null }) {
  const { t } = useTranslation();
  // The server has no session to end any more: that it does not hear of this changes nothing.
  const leave = () => void endSession().catch(() => undefined);
  return (
    <Modal
      opened={session !== null}
      onClose={() => undefined}
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
      centered
      size={420}
      zIndex={1_000}
      padding="xl"
      title={t("session.ended")}
      overlayProps={{ backgroundOpacity: 0.55, blur: 14 }}
    >
      {session && (
        <Stack>
          <Text size="sm" c="dimmed">
            {t("session.endedHelp")}
          </Text>
          <SignInForm login={session.account.login} onSignedIn={beginSession} />
          <ProviderButtons returns={window.location.pathname} />
          <Button variant="subtle" color="gray" onClick={leave}>
            {t("session.somebodyElse")}
          </Button>
        </Stack>
      )}
    </Modal>
  );
}
