import { Modal, type ModalProps } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** A dialog over the page. A click beside it does not close it: what was typed would be lost. */
export function Dialog(props: ModalProps) {
  const { t } = useTranslation();
  return <Modal centered closeOnClickOutside={false} closeButtonProps={{ "aria-label": t("form.close") }} {...props} />;
}
