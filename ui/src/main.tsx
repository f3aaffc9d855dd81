import "@fontsource-variable/inter/index.css";
import "@fontsource-variable/noto-sans-kr/index.css";
import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./app/app.css";
import "./i18n";

import { QueryClient } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createBrowserRouter } from "react-router";

import { App } from "./app/App";
import { routes } from "./app/routes";

const client = new QueryClient({
  defaultOptions: { queries: { retry: 1, staleTime: 500, refetchOnWindowFocus: true } },
});
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App client={client} router={createBrowserRouter(routes)} />
    </StrictMode>,
  );
}
