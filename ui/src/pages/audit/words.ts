/** The words of the audit trail, as crates/hilum-engine/src/audit/event.rs has them. */

export const actions = [
  "process_start", "process_end", "audit_read", "sign_in", "sign_out", "add_account", "change_account", "change_roles",
  "add_token", "revoke_token", "add_link", "add_institution", "query", "retrieve", "view", "receive", "import", "import_worklist", "export",
  "backup", "restore", "send", "delete", "predict", "make_results", "change_work_item", "cancel_reading", "resume_reading", "change_priority", "review", "sign_report", "change_label_use",
  "retry_forwards", "deliver", "retry_deliveries", "receive_patient_data", "change_keys", "change_configuration", "pseudonymise", "reidentify", "admit",
] as const;

/** A day of a date field (`2026-11-26`), as the moment it begins where the reader is; `after`: that many days later. */
export function dayBegins(day: string, after = 0): string {
  const [year, month, date] = day.split("-").map(Number);
  if (year === undefined || month === undefined || date === undefined) return "";
  const begin = new Date(year, month - 1, date + after);
  return Number.isNaN(begin.getTime()) ? "" : begin.toISOString();
}
