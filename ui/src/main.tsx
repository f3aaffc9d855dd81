import "@fontsource-variable/inter/index.css";
import "./app/mantine.css";
import "@mantine/notifications/styles.css";
import "./app/app.css";

import { QueryClient } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter } from "react-router";

import { App } from "./app/App";
import { routes } from "./app/routes";
import { begun } from "./i18n";

const client = new QueryClient({
  defaultOptions: { queries: { retry: 1, staleTime: 500, refetchOnWindowFocus: true } },
});
const root = document.getElementById("root");
/** Hangul in a hundred pieces: the table of them comes beside the page, and the pieces that are needed after it. */
void import("@fontsource-variable/noto-sans-kr/index.css");
/** It asks for what the page needs while texts and code come. */
const router = createBrowserRouter(routes(client));
void begun().then(() => {
  if (!root) return;
  createRoot(root).render(
    <StrictMode>
      <App client={client} router={router} />
    </StrictMode>,
  );
});
