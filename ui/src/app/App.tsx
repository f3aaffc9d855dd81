import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, type RouterProviderProps } from "react-router";

import { useForgetting } from "./session";
import { theme } from "./theme";

interface Props {
  client: QueryClient;
  router: RouterProviderProps["router"];
}

export function App({ client, router }: Props) {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Notifications position="bottom-right" />
      <QueryClientProvider client={client}>
        <Pages router={router} />
      </QueryClientProvider>
    </MantineProvider>
  );
}

function Pages({ router }: Pick<Props, "router">) {
  useForgetting();
  return <RouterProvider router={router} />;
}
