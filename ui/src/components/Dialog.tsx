import { Modal, type ModalProps } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** A dialog over the page. A click beside it does not close it: what was typed would be lost. Escape does, and means nothing to the page below. */
export function Dialog(props: ModalProps) {
  const { t } = useTranslation();
  return (
    <Modal
      centered
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": t("form.close") }}
      onKeyDown={(event) => {
        if (event.key === "Escape") event.stopPropagation();
      }}
      {...props}
    />
  );
}
