import { Center, Loader } from "@mantine/core";
import type { QueryClient } from "@tanstack/react-query";
import { Suspense } from "react";
import type { RouteObject } from "react-router";

import { whenOpened } from "../i18n";
import { imagesBeforehand, onAnotherPage, reportBeforehand } from "./beforehand";
import { Broken } from "./Broken";
import { Home } from "./Home";
import { Needs } from "./Needs";
import { NotFound } from "./NotFound";
import { type RouteHandle, Shell } from "./Shell";
import { SignedIn } from "./SignedIn";

/** Pages that few come for first arrive when they are opened: the list must be there at once. */
const SignInPage = whenOpened(() => import("../pages/sign-in/SignInPage").then((page) => ({ default: page.SignInPage })));
const WelcomePage = whenOpened(() => import("../pages/welcome/WelcomePage").then((page) => ({ default: page.WelcomePage })));
const ReportPage = whenOpened(() => import("../pages/report/ReportPage").then((page) => ({ default: page.ReportPage })));
const IdentitiesPage = whenOpened(() => import("../pages/identities/IdentitiesPage").then((page) => ({ default: page.IdentitiesPage })));
const TokensPage = whenOpened(() => import("../pages/tokens/TokensPage").then((page) => ({ default: page.TokensPage })));
const SecondFactorPage = whenOpened(() => import("../pages/second-factor/SecondFactorPage").then((page) => ({ default: page.SecondFactorPage })));
const QualityPage = whenOpened(() => import("../pages/quality/QualityPage").then((page) => ({ default: page.QualityPage })));
const AccountsPage = whenOpened(() => import("../pages/accounts/AccountsPage").then((page) => ({ default: page.AccountsPage })));
const InstitutionsPage = whenOpened(() => import("../pages/institutions/InstitutionsPage").then((page) => ({ default: page.InstitutionsPage })));
const AuditPage = whenOpened(() => import("../pages/audit/AuditPage").then((page) => ({ default: page.AuditPage })));
const RetrievePage = whenOpened(() => import("../pages/retrieve/RetrievePage"));
const JobsPage = whenOpened(() => import("../pages/admin/JobsPage"));
const ForwardsPage = whenOpened(() => import("../pages/admin/ForwardsPage"));
const DeliveriesPage = whenOpened(() => import("../pages/admin/DeliveriesPage"));
const PeersPage = whenOpened(() => import("../pages/admin/PeersPage"));
const RoutesPage = whenOpened(() => import("../pages/admin/RoutesPage"));
const StoragePage = whenOpened(() => import("../pages/admin/StoragePage"));
const ModelsPage = whenOpened(() => import("../pages/admin/ModelsPage"));
const HealthPage = whenOpened(() => import("../pages/admin/HealthPage"));
const SetupPage = whenOpened(() => import("../pages/setup/SetupPage"));
const HelpPage = whenOpened(() => import("../pages/help/HelpPage"));
const ApiPage = whenOpened(() => import("../pages/help/ApiPage"));
/** Drawing images takes far more code than everything else: it comes when somebody looks at some. */
const ViewerPage = whenOpened(() => import("../pages/viewer/ViewerPage"));
const LocalPage = whenOpened(() => import("../pages/viewer/LocalPage"));
const waiting = (
  <Center mih="100dvh">
    <Loader />
  </Center>
);

const wide: RouteHandle = { wide: true };

const pages = (client: QueryClient): RouteObject[] => [
  { path: "/sign-in", element: <Suspense children={<SignInPage />} /> },
  { path: "/welcome", element: <Suspense children={<WelcomePage />} /> },
  {
    element: <SignedIn />,
    children: [
      {
        // As large as the window, with its own bar.
        path: "/studies/:studyUid/view",
        loader: imagesBeforehand(client, ViewerPage.come),
        shouldRevalidate: onAnotherPage,
        element: (
          <Needs permission="view">
            <Suspense fallback={waiting}>
              <ViewerPage />
            </Suspense>
          </Needs>
        ),
      },
      {
        path: "/files",
        element: (
          <Suspense fallback={waiting}>
            <LocalPage />
          </Suspense>
        ),
      },
      {
        element: <Shell />,
        children: [
          { path: "/", element: <Home />, handle: wide },
          {
            path: "/studies/:studyUid",
            loader: reportBeforehand(client),
            shouldRevalidate: onAnotherPage,
            element: <Needs permission="view" children={<ReportPage />} />,
          },
          { path: "/retrieve", element: <Needs permission="store" children={<RetrievePage />} /> },
          { path: "/settings/sign-in", element: <IdentitiesPage /> },
          { path: "/settings/tokens", element: <TokensPage /> },
          { path: "/settings/second-factor", element: <SecondFactorPage /> },
          { path: "/quality", element: <Needs permission="quality" children={<QualityPage />} /> },
          { path: "/setup", element: <SetupPage /> },
          { path: "/help", element: <HelpPage /> },
          { path: "/help/api", element: <ApiPage /> },
          { path: "/help/:chapter", element: <HelpPage /> },
          { path: "/admin/jobs", element: <Needs permission="operate" children={<JobsPage />} /> },
          { path: "/admin/forwards", element: <Needs permission="operate" children={<ForwardsPage />} /> },
          { path: "/admin/deliveries", element: <Needs permission="operate" children={<DeliveriesPage />} /> },
          { path: "/admin/peers", element: <Needs permission="operate" children={<PeersPage />} /> },
          { path: "/admin/routes", element: <Needs permission="operate" children={<RoutesPage />} /> },
          { path: "/admin/storage", element: <Needs permission="operate" children={<StoragePage />} /> },
          { path: "/admin/models", element: <Needs permission="operate" children={<ModelsPage />} /> },
          { path: "/admin/health", element: <Needs permission="operate" children={<HealthPage />} /> },
          { path: "/admin/accounts", element: <Needs permission="manage" children={<AccountsPage />} /> },
          { path: "/admin/institutions", element: <Needs permission="manage" children={<InstitutionsPage />} /> },
          { path: "/admin/audit", element: <Needs permission="audit" children={<AuditPage />} /> },
          { path: "*", element: <NotFound /> },
        ],
      },
    ],
  },
];

/** Every page by its address. */
export const routes = (client: QueryClient): RouteObject[] => [{ errorElement: <Broken />, children: pages(client) }];
