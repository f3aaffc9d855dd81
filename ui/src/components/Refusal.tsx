import { Alert } from "@mantine/core";

/** Says why the server refused a form, aloud too; empty while there is nothing to say. */
export function Refusal({ text }: { text: string | null }) {
  return (
    <div aria-live="assertive">
      {text !== null && (
        <Alert color="red" variant="light" mb="md">
          {text}
        </Alert>
      )}
    </div>
  );
}
