import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { Account } from "../../api/access";
import { useAccounts } from "../../api/accessHooks";
import { useSession } from "../../app/session";
import { Dialog } from "../../components/Dialog";
import { PageHead } from "../../components/PageHead";
import { TableCard } from "../../components/TableCard";
import { AccountForm } from "./AccountForm";
import { AccountRow } from "./AccountRow";
import { DisableForm } from "./DisableForm";
import { type LinkFor, LinkShown, NewLinkForm } from "./NewLink";
import { ResetFactorForm } from "./ResetFactorForm";

/** What stands in the dialog. */
type Dialog =
  | { kind: "add" }
  | { kind: "edit" | "disable" | "link" | "resetFactor"; account: Account }
  | { kind: "shown"; link: LinkFor };

export function AccountsPage() {
  const { t } = useTranslation();
  const accounts = useAccounts();
  const { institutions } = useSession();
  const [text, setText] = useState("");
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const names = new Map(institutions.map(({ code, name }) => [code, name]));
  const wanted = text.trim().toLowerCase();
  const shown = (accounts.data ?? []).filter(({ name, login }) => `${name}\n${login}`.toLowerCase().includes(wanted));
  const close = () => setDialog(null);
  const showLink = (link: LinkFor) => setDialog({ kind: "shown", link });
  return (
    <>
      <PageHead title={t("accounts.title")} text={t("accounts.text")}>
        <TextInput
          w={240}
          placeholder={t("accounts.search")}
          aria-label={t("accounts.search")}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        <Button onClick={() => setDialog({ kind: "add" })}>
          {t("accounts.add")}
        </Button>
      </PageHead>
      <TableCard
        query={accounts}
        needs="manage"
        columns={[t("accounts.person"), t("accounts.roles"), t("accounts.state"), t("accounts.lastSignIn")]}
        acts
        empty={wanted === "" ? t("accounts.empty") : t("accounts.noMatch", { text: text.trim() })}
        minWidth={860}
      >
        {shown.map((account) => (
          <AccountRow
            key={account.id}
            account={account}
            names={names}
            onEdit={() => setDialog({ kind: "edit", account })}
            onDisable={() => setDialog({ kind: "disable", account })}
            onLink={() => setDialog({ kind: "link", account })}
            onResetFactor={() => setDialog({ kind: "resetFactor", account })}
          />
        ))}
      </TableCard>
      <Dialog
        opened={dialog !== null}
        onClose={close}
        size="lg"
        title={dialog && t(`accounts.dialog.${dialog.kind}`)}
      >
        {dialog?.kind === "add" && (
          <AccountForm account={null} onLink={showLink} onDone={close} />
        )}
        {dialog?.kind === "edit" && (
          <AccountForm account={dialog.account} onLink={showLink} onDone={close} />
        )}
        {dialog?.kind === "disable" && <DisableForm account={dialog.account} onDone={close} />}
        {dialog?.kind === "resetFactor" && <ResetFactorForm account={dialog.account} onDone={close} />}
        {dialog?.kind === "link" && <NewLinkForm account={dialog.account} onLink={showLink} onDone={close} />}
        {dialog?.kind === "shown" && <LinkShown link={dialog.link} onDone={close} />}
      </Dialog>
    </>
  );
}
